package gitstore

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const plain = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n" +
	"parent 1111111111111111111111111111111111111111\n" +
	"author A U Thor <a@acme.test> 1795341600 +0530\n" +
	"committer C <c@acme.test> 1795341601 -0800\n"

// signed gives the raw bytes of a small commit signed by key n.
func signed(t testing.TB, n byte) []byte {
	t.Helper()
	d := draft{tree: Hash{1}, parent: Hash{2}, author: Identity{"Pullbook", "pullbook@acme.test"}, when: at, message: "subject\n\nbody\n"}
	raw, err := d.sign(testSigner(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseCommit(t *testing.T) {
	c, err := ParseCommit([]byte(plain + "encoding ISO-8859-1\nmergetag object x\n type y\n\nsubject\n\nbody\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Author.Name != "A U Thor" || c.Author.Email != "a@acme.test" || c.Author.When.Unix() != 1795341600 ||
		c.Committer.When.Format("-0700") != "-0800" || len(c.Parents) != 1 || c.Message != "subject\n\nbody\n" {
		t.Errorf("%+v", c)
	}
	if strings.Join(c.Extra, " ") != "encoding mergetag" || c.Sig != nil {
		t.Errorf("extra %q, signature %q", c.Extra, c.Sig)
	}
}

func TestParseCommitRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":                "",
		"no end of headers":    plain,
		"NUL in the message":   plain + "\na\x00b\n",
		"NUL in a header":      strings.Replace(plain, "Thor", "Th\x00r", 1) + "\nm\n",
		"CR in a header":       strings.Replace(plain, "+0530", "+0530\r", 1) + "\nm\n",
		"CRLF":                 strings.ReplaceAll(plain+"\nm\n", "\n", "\r\n"),
		"no tree":              plain[strings.Index(plain, "parent"):] + "\nm\n",
		"two trees":            plain[:46] + plain + "\nm\n",
		"no author":            strings.Replace(plain, "author", "auth0r", 1) + "\nm\n",
		"two authors":          strings.Replace(plain, "committer", "author a <b> 1 +0000\ncommitter", 1) + "\nm\n",
		"late parent":          plain + "parent 1111111111111111111111111111111111111111\n\nm\n",
		"short id":             strings.Replace(plain, "1111", "111", 1) + "\nm\n",
		"upper case id":        strings.Replace(plain, "4b825d", "4B825D", 1) + "\nm\n",
		"unknown header":       plain + "change-id x\n\nm\n",
		"two signatures":       plain + "gpgsig a\ngpgsig b\n\nm\n",
		"sha256 signature":     plain + "gpgsig-sha256 a\n\nm\n",
		"two encodings":        plain + "encoding a\nencoding b\n\nm\n",
		"folded first":         " x\n" + plain + "\nm\n",
		"folded tree":          strings.Replace(plain, "\nparent", "\n x\nparent", 1) + "\nm\n",
		"no address":           strings.Replace(plain, "<a@acme.test> ", "", 1) + "\nm\n",
		"bracket in name":      strings.Replace(plain, "A U", "A <U", 1) + "\nm\n",
		"negative time":        strings.Replace(plain, "1795341600", "-5", 1) + "\nm\n",
		"endless time":         strings.Replace(plain, "1795341600", "99999999999999", 1) + "\nm\n",
		"bad zone":             strings.Replace(plain, "+0530", "0530", 1) + "\nm\n",
		"header without value": plain + "encoding\n\nm\n",
		"too large":            plain + "\n" + strings.Repeat("x", maxCommitBytes),
	} {
		if _, err := ParseCommit([]byte(raw)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: error = %v, want a malformed object", name, err)
		}
	}
}

// Folding is undone in linear time, and a signature may be of many lines.
func TestParseCommitWithManyFoldedLines(t *testing.T) {
	n := maxCommitBytes/2 - len(plain)
	c, err := ParseCommit([]byte(plain + "gpgsig x\n" + strings.Repeat(" \n", n) + "\nm\n"))
	if err != nil || len(c.Sig) != n+2 || string(c.payload) != plain+"\nm\n" {
		t.Errorf("%d bytes of signature, %v", len(c.Sig), err)
	}
}

func TestSignedCommitRoundTrip(t *testing.T) {
	raw := signed(t, 1)
	c, err := ParseCommit(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, signed(t, 1)) {
		t.Error("the same commit signed twice differs")
	}
	key, err := signersOf(t, testSigner(t, 1).AllowedLine("engine")).Verify(c)
	if err != nil || key.Principal != "engine" || key.Fingerprint != testSigner(t, 1).Fingerprint() {
		t.Errorf("key %v, %v", key, err)
	}
}

// tamper gives variants of a signed commit; each must lose its verdict "good".
func tamper(raw []byte) map[string][]byte {
	s := string(raw)
	end := "-----END SSH SIGNATURE-----\n"
	pem := s[strings.Index(s, "gpgsig ") : strings.Index(s, end)+len(end)]
	return map[string][]byte{
		"message":           []byte(s + "x"),
		"author":            []byte(strings.Replace(s, "author Pullbook", "author Pullbo0k", 1)),
		"tree":              []byte(strings.Replace(s, "tree 01", "tree 02", 1)),
		"header added":      []byte(strings.Replace(s, "gpgsig", "encoding x\ngpgsig", 1)),
		"signature dropped": []byte(strings.Replace(s, pem, "", 1)),
		"signature twice":   []byte(strings.Replace(s, pem, pem+pem, 1)),
		"text after it":     []byte(strings.Replace(s, end, end+" more\n", 1)),
		"text before it":    []byte(strings.Replace(s, "gpgsig ", "gpgsig x\n ", 1)),
		"header in it":      []byte(strings.Replace(s, "SIGNATURE-----\n", "SIGNATURE-----\n A: b\n \n", 1)),
		"bit of it":         []byte(strings.Replace(s, "AAAAC3Nz", "AAAAC3Ny", 1)),
	}
}

func TestTamperedCommits(t *testing.T) {
	a := signersOf(t, testSigner(t, 1).AllowedLine("engine"))
	for name, raw := range tamper(signed(t, 1)) {
		c, err := ParseCommit(raw)
		if err == nil {
			_, err = a.Verify(c)
		}
		if err == nil {
			t.Errorf("%s: still good", name)
		}
	}
}

// verdict asks git itself whether a commit is signed by an allowed key.
func verdict(t *testing.T, dir, allowed string, raw []byte) bool {
	t.Helper()
	id, err := tryGit(dir, string(raw), "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
	if err != nil {
		return false
	}
	_, err = tryGit(dir, "", "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", id)
	return err == nil
}

// Never good here and bad for git.
func TestVerdictAgreesWithGit(t *testing.T) {
	needGit(t)
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	line := testSigner(t, 1).AllowedLine("engine")
	key := line[strings.Index(line, "ssh-ed25519"):]
	files := map[string]string{
		"plain": line, "stranger": testSigner(t, 2).AllowedLine("engine"), "nobody": "",
		"no option":     "engine " + key,
		"other use":     "engine namespaces=\"file\" " + key,
		"both uses":     "engine namespaces=\"file,git\" " + key,
		"expired":       "engine valid-before=\"20261121Z\" " + key,
		"not yet":       "engine valid-after=\"20261123Z\" " + key,
		"in time":       "engine valid-after=\"20261122Z\",valid-before=\"202611221001Z\" " + key,
		"at the moment": "engine valid-after=\"20261122100000Z\",valid-before=\"202611221000Z\",namespaces=\"git\" " + key,
		"two lines":     "# comment\n\nold valid-before=\"20200101Z\" " + key + "new " + key,
		"authority":     "engine cert-authority " + key,
		"principals":    "engine,*@acme.test " + key,
	}
	commits := tamper(signed(t, 1))
	commits["good"] = signed(t, 1)
	for name, content := range files {
		path := filepath.Join(dir, "allowed_signers")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, raw := range commits {
			if name != "plain" && what != "good" {
				continue
			}
			ours := false
			if a, err := ParseAllowedSigners([]byte(content)); err == nil {
				if c, err := ParseCommit(raw); err == nil {
					_, err = a.Verify(c)
					ours = err == nil
				}
			}
			if theirs := verdict(t, dir, path, raw); ours && !theirs || what == "good" && ours != theirs {
				t.Errorf("%s commit, %s signers: ours %v, git %v", what, name, ours, theirs)
			}
		}
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add(signed(f, 1))
	f.Add(signed(f, 2))
	f.Add([]byte(plain + "\nm\n"))
	for _, raw := range tamper(signed(f, 1)) {
		f.Add(raw)
	}
	good := signed(f, 1)
	a := signersOf(f, testSigner(f, 1).AllowedLine("engine"))
	payload := draft{tree: Hash{1}, parent: Hash{2}, author: Identity{"Pullbook", "pullbook@acme.test"}, when: at, message: "subject\n\nbody\n"}.payload()
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCommit(raw)
		if err != nil {
			return
		}
		if bytes.IndexByte(raw, 0) >= 0 || len(c.payload) > len(raw) || c.Hash.IsZero() {
			t.Errorf("accepted %q", raw)
		}
		// The key signed one payload: nothing else may pass for it.
		if _, err := a.Verify(c); err == nil && !bytes.Equal(c.payload, payload) {
			t.Errorf("%q passes for %q", raw, good)
		}
		linked, ok := walkOver(c.Hash, raw)
		if !ok || linked.Tree != c.Tree || len(linked.Parents) != len(c.Parents) {
			t.Errorf("the two readers disagree on the links of %q", raw)
		}
	})
}
