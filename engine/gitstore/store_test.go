package gitstore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const incident = "incidents/2026/11/22/20261122-abcdefghij"

// ledger is what main holds in most tests.
func ledger(t testing.TB) map[string]string {
	return map[string]string{
		"pullbook.cue":              "people: {}\n",
		"runbooks/disk.cue":         "steps: {}\n",
		"runbooks/deep/a/b/c.txt":   "deep\n",
		".pullbook/allowed_signers": testSigner(t, 1).AllowedLine("pullbook@acme.test"),
	}
}

func contents(files map[string]File) map[string]string {
	out := map[string]string{}
	for path, f := range files {
		out[path] = string(f.Data)
	}
	return out
}

func TestFilesFetchesOnlyWhatIsNeeded(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	files, err := s.Files(t.Context(), h.main, "runbooks", "pullbook.cue", "absent/dir")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"pullbook.cue": "people: {}\n", "runbooks/disk.cue": "steps: {}\n", "runbooks/deep/a/b/c.txt": "deep\n"}
	if d := cmp.Diff(want, contents(files)); d != "" {
		t.Error(d)
	}
	// Refs, commit, root, trees below runbooks, blobs.
	if got := s.Stats().Reads; got != 5 {
		t.Errorf("%d reads, want 5", got)
	}
	if _, err := s.Files(t.Context(), h.main, "runbooks"); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Reads; got != 5 {
		t.Errorf("%d reads after reading again, want 5", got)
	}
	blob := files["runbooks/disk.cue"].Blob
	entries, err := s.Entries(t.Context(), h.main, "runbooks/disk.cue")
	if err != nil || entries["runbooks/disk.cue"] != (Entry{ModeFile, blob}) || len(entries) != 1 {
		t.Errorf("entries = %v, %v", entries, err)
	}
}

func TestFilesFromAServerWithoutFilters(t *testing.T) {
	h := newHub(t, ledger(t))
	git(t, h.dir, "config", "--unset", "uploadpack.allowFilter")
	git(t, h.dir, "config", "--unset", "uploadpack.allowAnySHA1InWant")
	files, err := h.open(t).Files(t.Context(), h.main, "runbooks")
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(files)["runbooks/deep/a/b/c.txt"]; got != "deep\n" {
		t.Errorf("content %q", got)
	}
	// Filters alone: trees and blobs may not be asked for by id.
	git(t, h.dir, "config", "uploadpack.allowFilter", "true")
	if files, err = h.open(t).Files(t.Context(), h.main, "pullbook.cue"); err != nil || len(files) != 1 {
		t.Errorf("files = %v, %v", files, err)
	}
}

func TestUnknownCommitIsNotFound(t *testing.T) {
	h := newHub(t, ledger(t))
	if _, err := h.open(t).Files(t.Context(), Hash{1}, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("error = %v, want ErrNotFound", err)
	}
}

func TestHeads(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	first := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	heads, err := s.Heads(t.Context(), "incident/")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]Hash{"incident/a": first}, heads); d != "" {
		t.Error(d)
	}
}

// What we write is what git itself would have accepted, and the ids depend on
// nothing but key, time and content.
func TestGitAcceptsWhatWeWrite(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	tip := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	change := one(incident+"/journal/0/000001-opened.json", `{"seq":1}`)
	change.Files["runbooks/disk.cue"] = []byte("steps: {a: {}}\n")
	change.Delete = []string{"runbooks/deep/a/b/c.txt"}
	tip = mustAppend(t, s, "incident/a", tip, change)
	mustFlush(t, s, "incident/a")
	if got := h.head(t, "incident/a"); got != tip {
		t.Fatalf("hub is at %s, want %s", got, tip)
	}
	const want = "5cd505d5d1f8490ffac81f178a4b88f0ddb598da"
	if tip.String() != want {
		t.Errorf("commit id %s, want the reproducible %s", tip, want)
	}
	if out := git(t, h.dir, "fsck", "--strict", "--full"); strings.Contains(out, "error") || strings.Contains(out, "warning") {
		t.Errorf("fsck: %s", out)
	}
	if got := git(t, h.dir, "ls-tree", "-r", "--name-only", tip.String(), "runbooks"); got != "runbooks/disk.cue" {
		t.Errorf("runbooks holds %q", got)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	trust := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(trust, []byte(ledger(t)[".pullbook/allowed_signers"]), 0o600); err != nil {
		t.Fatal(err)
	}
	out := git(t, h.dir, "-c", "gpg.ssh.allowedSignersFile="+trust, "log", "--show-signature", "-2", tip.String())
	if n := strings.Count(out, `Good "git" signature for pullbook@acme.test`); n != 2 {
		t.Errorf("%d good signatures, want 2:\n%s", n, out)
	}
}

func TestAppendRefusesWhatMayNotBeWritten(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	for name, c := range map[string]Change{
		"up":               one("../x", ""),
		"absolute":         one("/etc/passwd", ""),
		"git directory":    one("a/.GIT/config", ""),
		"short name":       one("git~1/config", ""),
		"invisible":        one("a/.g\u200cit/config", ""),
		"modules":          one(".gitmodules", ""),
		"control":          one("a\nb", ""),
		"backslash":        one(`a\b`, ""),
		"file under file":  one("pullbook.cue/x", ""),
		"file over tree":   one("runbooks", ""),
		"delete absent":    {Delete: []string{"runbooks/none"}, Message: "m", When: at},
		"delete tree":      {Delete: []string{"runbooks"}, Message: "m", When: at},
		"empty":            {Message: "m", When: at},
		"no message":       {Files: map[string][]byte{"a": nil}, When: at},
		"no time":          {Files: map[string][]byte{"a": nil}, Message: "m"},
		"too large":        one("big", strings.Repeat("x", maxBlob+1)),
		"file and its dir": {Files: map[string][]byte{"a": nil, "a/b": nil}, Message: "m", When: at},
	} {
		if _, err := s.Append(t.Context(), "incident/a", h.main, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.Append(t.Context(), "a..b", h.main, one("a", "")); err == nil {
		t.Error("bad branch name: accepted")
	}
}

func TestAppendCostsNoReadOnceThePathIsKnown(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	tip := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	before := s.Stats()
	for _, name := range []string{"1", "2", "3"} {
		tip = mustAppend(t, s, "incident/a", tip, one(incident+"/journal/0/"+name, name))
	}
	mustFlush(t, s, "incident/a")
	after := s.Stats()
	if after.Reads != before.Reads || after.Pushes != before.Pushes+1 {
		t.Errorf("three appends and a flush took %d reads and %d pushes, want 0 and 1", after.Reads-before.Reads, after.Pushes-before.Pushes)
	}
	if got := h.head(t, "incident/a"); got != tip {
		t.Errorf("hub is at %s, want %s", got, tip)
	}
}

// TestRejectedPassword: who gives the passwords is told of one that the server does not take, and of nothing else that goes wrong.
func TestRejectedPassword(t *testing.T) {
	h := newHub(t, ledger(t))
	password, rejected := "old", []string(nil)
	s := h.open(t, func(c *Config) {
		c.Credentials = func(context.Context) (string, string, error) { return "x", password, nil }
		c.Rejected = func(p string) { rejected, password = append(rejected, p), "secret" }
	})
	if _, err := s.Heads(t.Context(), ""); err == nil || len(rejected) != 1 || rejected[0] != "old" {
		t.Fatalf("rejected were %v: %v", rejected, err)
	}
	if _, err := s.Heads(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	h.setGate(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		http.Error(w, "not now", http.StatusForbidden)
	})
	if _, err := s.Heads(t.Context(), ""); err == nil || len(rejected) != 1 {
		t.Errorf("rejected were %v: %v", rejected, err)
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	var leaked string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked += "request " + r.Header.Get("Authorization")
	}))
	defer thief.Close()
	h := newHub(t, ledger(t))
	h.setGate(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := h.open(t).Heads(t.Context(), "")
	if err == nil || leaked != "" {
		t.Errorf("error = %v, the other server saw %q", err, leaked)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("error shows the password: %v", err)
	}
}

func TestOpenRefusesUnsafeAddresses(t *testing.T) {
	signer := testSigner(t, 1)
	creds := newHub(t, ledger(t)).open(t).wire.credentials
	for _, url := range []string{
		"", "ssh://git@hub.test/a/b", "https://user:pw@hub.test/a/b.git", "file:///tmp/x",
		"http://hub.test/a/b.git", "https://hub.test/a?x=1", "https:///a", "http://127.0.0.1.evil.test/a",
	} {
		if _, err := Open(Config{URL: url, Signer: signer, Author: Identity{"a", "b"}, Credentials: creds}); err == nil {
			t.Errorf("%q: accepted", url)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error shows the password", url)
		}
	}
	if _, err := Open(Config{URL: "https://hub.test/a", Signer: signer, Author: Identity{"a\nb", "c"}}); err == nil {
		t.Error("author with a newline: accepted")
	}
}
