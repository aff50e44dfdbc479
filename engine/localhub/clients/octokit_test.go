package clients

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// An App on octokit signs in, reads page by page, reviews, and verifies what the hub sends.
func TestOctokit(t *testing.T) {
	t.Parallel() // most of the time the library waits, as GitHub asks it to
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := w.node(ctx, "octokit.mjs", fmt.Sprintf("APP_ID=%d", appID), fmt.Sprintf("INSTALLATION=%d", appInst))
	w.branches("one", "two", "three")
	for _, branch := range []string{"one", "two", "three"} {
		w.openPull("bob", branch)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("octokit: %v\n%s", err, out)
	}
	var reviews []struct {
		State string
		User  struct{ Login string }
	}
	w.call("alice", "GET", "/repos/acme/ops/pulls/1/reviews", nil, &reviews)
	if len(reviews) != 1 || reviews[0].State != "APPROVED" || reviews[0].User.Login != "alice" {
		t.Errorf("reviews: %+v", reviews)
	}
}
