package gitstore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseAllowedSignersRefuses(t *testing.T) {
	line := testSigner(t, 1).AllowedLine("engine")
	key := strings.TrimSpace(line[strings.Index(line, "ssh-ed25519"):])
	for name, content := range map[string]string{
		"no key":         "engine\n",
		"bad key":        "engine ssh-ed25519 AAAA\n",
		"unknown option": "engine no-touch-required " + key,
		"authority":      "ca cert-authority " + key,
		"negation":       "!engine " + key,
		"quotes":         "\"engine\" " + key,
		"twice":          "engine namespaces=\"git\",namespaces=\"file\" " + key,
		"pattern":        "engine namespaces=\"g*\" " + key,
		"unquoted":       "engine namespaces=git " + key,
		"local time":     "engine valid-after=\"20260101\" " + key,
		"bad time":       "engine valid-after=\"20261301Z\" " + key,
		"no interval":    "engine valid-after=\"20260102Z\",valid-before=\"20260101Z\" " + key,
		"CRLF":           "engine " + key + "\r\n",
		"too large":      strings.Repeat("#\n", 1<<19+1),
	} {
		if a, err := ParseAllowedSigners([]byte(content)); err == nil || len(a.lines) != 0 {
			t.Errorf("%s: accepted as %v", name, a.Keys())
		}
	}
}

func TestVerifyNamesTheReason(t *testing.T) {
	c, err := ParseCommit(signed(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := ParseCommit([]byte(plain + "\nm\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := signersOf(t, testSigner(t, 2).AllowedLine("other"))
	if _, err := a.Verify(c); !errors.Is(err, ErrNoSigner) {
		t.Errorf("stranger: %v", err)
	}
	if _, err := a.Verify(bare); !errors.Is(err, ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := (AllowedSigners{}).Verify(c); !errors.Is(err, ErrNoSigner) {
		t.Errorf("nobody allowed: %v", err)
	}
	if keys := a.Keys(); len(keys) != 1 || keys[0].Fingerprint != testSigner(t, 2).Fingerprint() {
		t.Errorf("keys %v", keys)
	}
}

func TestSignerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, err := GenerateSigner(path, "pullbook engine")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := GenerateSigner(path, "again"); err == nil {
		t.Error("an existing key was replaced")
	}
	loaded, err := LoadSigner(path)
	if err != nil || loaded.AllowedLine("e") != made.AllowedLine("e") {
		t.Errorf("loaded key differs: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSigner(path); err == nil {
		t.Error("a key that others can read was accepted")
	}
	if _, err := LoadSigner(filepath.Dir(path)); err == nil {
		t.Error("a directory was accepted")
	}
}

func TestSignerFileIsOpenSSH(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	made, err := GenerateSigner(ours, "c")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(keygen, "-l", "-f", ours).CombinedOutput()
	if err != nil || !strings.Contains(string(out), made.Fingerprint()) {
		t.Errorf("ssh-keygen reads our key as %q, %v", out, err)
	}
	for kind, ok := range map[string]bool{"ed25519": true, "ecdsa": false} {
		path := theirs + kind
		if out, err := exec.Command(keygen, "-q", "-t", kind, "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
		if _, err := LoadSigner(path); (err == nil) != ok {
			t.Errorf("%s key: %v", kind, err)
		}
	}
}

func FuzzParseAllowedSigners(f *testing.F) {
	line := testSigner(f, 1).AllowedLine("engine")
	f.Add(line)
	f.Add("# comment\n\n" + line + line)
	f.Add(strings.Replace(line, "namespaces=\"git\"", "valid-after=\"20260101Z\",valid-before=\"20270101Z\"", 1))
	f.Add(strings.Replace(line, "namespaces", "cert-authority,namespaces", 1))
	stranger := signed(f, 9)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAllowedSigners([]byte(s))
		if err != nil {
			if len(a.lines) != 0 {
				t.Error("an error and keys at once")
			}
			return
		}
		c, err := ParseCommit(stranger)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := a.Verify(c); err == nil && !strings.Contains(s, "ssh-ed25519") {
			t.Errorf("%q lets %v in", s, key)
		}
	})
}

func TestAllowsIsOfATime(t *testing.T) {
	signer, err := GenerateSigner(filepath.Join(t.TempDir(), "key"), "engine")
	if err != nil {
		t.Fatal(err)
	}
	line := signer.AllowedLine("engine")
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		"":   false,
		line: true,
		strings.Replace(line, `"git"`, `"git",valid-before="20261122Z"`, 1): false,
		strings.Replace(line, `"git"`, `"git",valid-after="20261124Z"`, 1):  false,
		strings.Replace(line, `"git"`, `"git",valid-before="20261124Z"`, 1): true,
		strings.Replace(line, `"git"`, `"file"`, 1):                         false,
	} {
		signers, err := ParseAllowedSigners([]byte(text))
		if got := signers.Allows(signer, at); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
