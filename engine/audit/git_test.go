package audit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/gitstore"
)

// needTools skips where a tool is absent.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// git runs git without the machine's configuration and gives both of its outputs.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func TestGitAgrees(t *testing.T) {
	needTools(t, "git", "ssh-keygen")
	l := newLedger(t)
	l.whole()
	if out := mustGit(t, l.dir, "fsck", "--strict", "--full"); strings.Contains(out, "error") {
		t.Errorf("git fsck: %s", out)
	}
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	l.must(os.WriteFile(signers, []byte(mustGit(t, l.dir, "show", "main:"+keysPath)), 0o600))
	out := mustGit(t, l.dir, "-c", "gpg.ssh.allowedSignersFile="+signers, "log", "--show-signature", l.ids["close"])
	if n := strings.Count(out, `Good "git" signature for key0@acme.test`); n != 5 {
		t.Errorf("git says %d good signatures of 5:\n%s", n, out)
	}
	for _, name := range []string{"open", "gate", "approve", "end", "close"} {
		mustGit(t, l.dir, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", l.ids[name])
	}
}

func TestGitAgreesThatASignatureIsBad(t *testing.T) {
	needTools(t, "git", "ssh-keygen")
	l := newLedger(t)
	l.edits["end"] = func(d *draft) {
		d.spoil = func(raw []byte) []byte { return []byte(strings.Replace(string(raw), "succeeded", "failed", 1)) }
	}
	l.whole()
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	l.must(os.WriteFile(signers, allowing(signerOf(1)), 0o600))
	if out, err := git(l.dir, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", l.ids["end"]); err == nil {
		t.Errorf("git takes the signature for good: %s", out)
	}
	expect(t, l, verify(l, Options{}), "end", "signature")
}

// What git itself packs and clones is verified like what was written loose, and a shallow clone is refused.
func TestClones(t *testing.T) {
	needTools(t, "git")
	l := newLedger(t)
	l.whole()
	mustGit(t, l.dir, "gc", "-q", "--prune=now")
	for _, test := range []struct {
		name string
		args []string
		why  string // empty: nothing is wrong
	}{
		{"bare", []string{"--bare"}, ""},
		{"mirror", []string{"--mirror"}, ""},
		{"with a work tree", nil, ""},
		{"shallow", []string{"--depth=1"}, "shallow"},
		{"without blobs", []string{"--filter=blob:none", "--bare"}, "not found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "clone")
			mustGit(t, l.dir, "config", "uploadpack.allowFilter", "true")
			mustGit(t, l.dir, append(append([]string{"clone", "-q"}, test.args...), "file://"+l.dir, dir)...)
			clone, err := gitstore.OpenClone(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer clone.Close()
			r := Verify(clone, Options{Trust: trusting(1)})
			if test.why == "" && (!r.OK() || len(r.Incidents) != 2) {
				t.Errorf("%+v", r)
			}
			if test.why != "" && (r.OK() || !strings.Contains(r.Findings[0].Why, test.why)) {
				t.Errorf("%+v, want %q", r.Findings, test.why)
			}
		})
	}
}

// Every loose object that is damaged or gone is noticed.
func TestDamagedObjects(t *testing.T) {
	l := newLedger(t)
	l.loose = true
	l.begin()
	l.incident("", "group one")
	l.people("later", map[string][]byte{"README.md": []byte("# Operations\n")})
	l.publish("")
	objects, err := filepath.Glob(filepath.Join(l.dir, "objects", "??", "*"))
	if err != nil || len(objects) < 40 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	unused := 0
	for _, path := range objects {
		whole, err := os.ReadFile(path)
		l.must(err)
		l.must(os.Chmod(path, 0o600))
		damaged := append([]byte{}, whole...)
		damaged[len(damaged)/2] ^= 0x10
		l.must(os.WriteFile(path, damaged, 0o600))
		if verify(l, Options{}).OK() {
			unused++
		}
		l.must(os.Remove(path))
		if verify(l, Options{}).OK() {
			unused++
		}
		l.must(os.WriteFile(path, whole, 0o600))
	}
	if allowed := 2; unused > allowed { // README.md is nobody's evidence
		t.Errorf("%d damages were not noticed, want at most %d", unused, allowed)
	}
	if r := verify(l, Options{}); !r.OK() {
		t.Errorf("whole again: %+v", r.Findings)
	}
}
