package gitstore

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// shape is what a large repository is large by.
type shape string

const (
	wide shape = "wide" // every commit adds an incident: all are in the newest tree
	deep shape = "deep" // every commit rewrites the same files: the trees stay small
)

// grow gives the hub's main branch a past until the repository holds about so
// many objects, packed, and gives main's tip.
func (h *hub) grow(t testing.TB, objects int, as shape) Hash {
	t.Helper()
	perIncident := 17 // 8 blobs, 1 commit, 7 or 8 trees
	if as == deep {
		perIncident = 13
	}
	var b bytes.Buffer
	for i := range objects / perIncident {
		fmt.Fprintf(&b, "commit refs/heads/main\ncommitter P <p@acme.test> %d +0000\ndata 2\nm\n", 1700000000+i)
		if i == 0 {
			fmt.Fprintf(&b, "from %s\n", h.main)
		}
		dir := fmt.Sprintf("incidents/2025/%02d/%02d/%08d", 1+i/28%12, 1+i%28, i)
		if as == deep {
			dir = "runbooks"
		}
		for n := range 8 {
			body := fmt.Sprintf("{\"incident\":%d,\"seq\":%d}\n", i, n)
			fmt.Fprintf(&b, "M 100644 inline %s/journal/0/%06d.json\ndata %d\n%s\n", dir, n, len(body), body)
		}
	}
	cmd := exec.Command("git", "--git-dir", h.dir, "fast-import", "--quiet", "--force")
	cmd.Stdin, cmd.Env = &b, gitEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return h.head(t, "main")
}

// count gives the number of objects in the repository.
func (h *hub) count(t testing.TB) int {
	n := 0
	for _, line := range strings.Split(git(t, h.dir, "count-objects", "-v"), "\n") {
		if _, value, ok := strings.Cut(line, ": "); ok && (strings.HasPrefix(line, "count:") || strings.HasPrefix(line, "in-pack:")) {
			k, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}
	return n
}

// A ledger with a year of incidents costs an append no more requests than an
// empty one, and no more than the trees on its path.
func TestDeepLedger(t *testing.T) {
	h := newHub(t, ledger(t))
	main := h.grow(t, 8000, wide)
	s := h.open(t)
	tip := mustCreate(t, s, "incident/a", main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	stats := s.Stats()
	// Two advertisements, the commit, its root and incidents/.
	if stats.Reads != 5 || stats.Pushes != 1 || stats.Received > 100<<10 {
		t.Errorf("cold append: %+v, want 5 reads, 1 push, 100 KiB", stats)
	}
	b, err := h.open(t).Branch(t.Context(), BranchQuery{Name: "incident/a", Main: main, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine"))})
	if err != nil || len(b.Commits) != 1 || b.Commits[0].Err != nil || b.Tip != tip || b.Fork != main {
		t.Errorf("branch %+v, %v", b, err)
	}
	if out := git(t, h.dir, "fsck", "--strict"); strings.Contains(out, "error") || strings.Contains(out, "warning") {
		t.Error(out)
	}
}

// onLedgers runs a benchmark on a small repository and on two large ones. On
// the wide one the server's own connectivity check (git rev-list --objects)
// walks the whole tree of the parent, whoever pushes.
func onLedgers(b *testing.B, run func(b *testing.B, h *hub, main Hash)) {
	for _, l := range []struct {
		objects int
		as      shape
	}{{1000, wide}, {200_000, deep}, {200_000, wide}} {
		b.Run(fmt.Sprintf("objects=%d/%s", l.objects, l.as), func(b *testing.B) {
			h := newHub(b, ledger(b))
			main := h.grow(b, l.objects, l.as)
			if n := h.count(b); n < l.objects*95/100 || n > l.objects*115/100 {
				b.Fatalf("%d objects, want about %d", n, l.objects)
			}
			b.ReportAllocs()
			run(b, h, main)
		})
	}
}

// event is a change that writes the next event of the incident.
func event(i int) Change {
	return one(fmt.Sprintf("%s/journal/%d/%06d.json", incident, i/100, i), "{}")
}

// begin opens the incident and gives the branch's tip.
func begin(b *testing.B, s *Store, main Hash) Hash {
	tip := mustCreate(b, s, "incident/a", main, one(incident+"/incident.json", "{}"))
	mustFlush(b, s, "incident/a")
	return tip
}

// BenchmarkAppend is one signed commit appended and pushed, everything that is
// done for it, on a store that knows the branch.
func BenchmarkAppend(b *testing.B) {
	onLedgers(b, func(b *testing.B, h *hub, main Hash) {
		s := h.open(b)
		tip := begin(b, s, main)
		for i := 0; b.Loop(); i++ {
			tip = mustAppend(b, s, "incident/a", tip, event(i))
			mustFlush(b, s, "incident/a")
		}
	})
}

// BenchmarkAppendCold is BenchmarkAppend by a store that was opened just now.
func BenchmarkAppendCold(b *testing.B) {
	onLedgers(b, func(b *testing.B, h *hub, main Hash) {
		tip := begin(b, h.open(b), main)
		for i := 0; b.Loop(); i++ {
			s := h.open(b)
			tip = mustAppend(b, s, "incident/a", tip, event(i))
			mustFlush(b, s, "incident/a")
		}
	})
}

// BenchmarkBuild is our own part of an append: objects and signature, no push.
func BenchmarkBuild(b *testing.B) {
	onLedgers(b, func(b *testing.B, h *hub, main Hash) {
		s := h.open(b)
		tip := begin(b, s, main)
		for i := 0; b.Loop(); i++ {
			mustAppend(b, s, "incident/a", tip, event(i))
			s.Discard("incident/a")
		}
	})
}

// BenchmarkGitPush is the git command pushing such a commit, made beforehand,
// from a full clone to the same server.
func BenchmarkGitPush(b *testing.B) {
	login := "http.extraHeader=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x:secret"))
	onLedgers(b, func(b *testing.B, h *hub, main Hash) {
		clone := &hub{dir: filepath.Join(b.TempDir(), "clone.git")}
		git(b, h.dir, "clone", "-q", "--bare", "file://"+h.dir, clone.dir)
		tip := main
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			files := map[string]string{}
			for path, data := range event(i).Files {
				files[path] = string(data)
			}
			tip = clone.commit(b, "incident/a", tip, files)
			b.StartTimer()
			git(b, clone.dir, "-c", login, "push", "-q", h.url, "incident/a")
		}
	})
}
