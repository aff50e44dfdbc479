package localhub_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-github/v60/github"
)

// Two merges at once: one wins, the other hears that there is nothing left to merge, and there is one merge commit.
func TestTwoMergesAtOnce(t *testing.T) {
	w := newWorld(t, "")
	dir := w.clone()
	sha := w.commit(dir, "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	w.check(sha, "pullbook", "success")
	results := make(chan int, 4)
	var all sync.WaitGroup
	for range cap(results) {
		all.Go(func() {
			_, resp, err := w.user("alice").PullRequests.Merge(t.Context(), "acme", "ops", 1, "", &github.PullRequestOptions{SHA: sha})
			var refused *github.ErrorResponse
			if err != nil && !errors.As(err, &refused) {
				t.Error(err)
				return
			}
			results <- resp.StatusCode
		})
	}
	all.Wait()
	close(results)
	count := map[int]int{}
	for s := range results {
		count[s]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusMethodNotAllowed] != 3 {
		t.Fatalf("answers: %v", count)
	}
	w.mustGit(dir, "fetch", "-q", "origin", "main")
	if n := w.mustGit(dir, "rev-list", "--count", "--merges", "origin/main"); n != "1" {
		t.Fatalf("%s merges", n)
	}
}

// Pushes of different branches at once all arrive, and each pull request follows its own.
func TestPushesAtOnce(t *testing.T) {
	w := newWorld(t, "")
	const n = 4
	heads := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		dir := filepath.Join(t.TempDir(), "ops")
		w.mustGit("", "clone", "-q", w.remote("alice", "alice-token", "acme/ops"), dir)
		all.Go(func() {
			branch := fmt.Sprintf("incident/%d", i)
			for _, args := range [][]string{
				{"switch", "-q", "-c", branch}, {"commit", "-q", "--allow-empty", "-m", branch}, {"push", "-q", "origin", branch},
			} {
				if out, err := w.git(dir, args...); err != nil {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
			head, err := w.git(dir, "rev-parse", "HEAD")
			if err != nil {
				t.Error(err)
			}
			heads[i] = head[:40]
		})
	}
	all.Wait()
	for i := range n {
		if p := w.openPull(fmt.Sprintf("incident/%d", i)); p.GetHead().GetSHA() != heads[i] {
			t.Errorf("pull request %d is at %s, pushed was %s", p.GetNumber(), p.GetHead().GetSHA(), heads[i])
		}
	}
}
