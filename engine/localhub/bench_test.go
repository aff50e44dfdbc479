package localhub_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/google/go-github/v60/github"
)

// BenchmarkPush is git push of one commit to the head branch of a pull request, the client's own processes included.
func BenchmarkPush(b *testing.B) {
	w := benchWorld(b)
	dir := w.clone()
	w.mustGit(dir, "switch", "-q", "head")
	if _, _, err := w.user("alice").PullRequests.Create(b.Context(), "acme", "ops", &github.NewPullRequest{Title: github.String("t"), Head: github.String("head"), Base: github.String("main")}); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		b.StopTimer()
		w.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "next")
		b.StartTimer()
		w.mustGit(dir, "push", "-q", "origin", "head")
	}
}

// BenchmarkDelivery is a comment and its webhook, signed, sent and logged.
func BenchmarkDelivery(b *testing.B) {
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	got := make(chan struct{}, 1<<20)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{} }))
	defer srv.Close()
	w := openWorld(b, b.TempDir(), srv.URL)
	w.commit(w.clone(), "head", "x.txt", "x\n")
	c := w.user("alice")
	if _, _, err := c.PullRequests.Create(b.Context(), "acme", "ops", &github.NewPullRequest{Title: github.String("t"), Head: github.String("head"), Base: github.String("main")}); err != nil {
		b.Fatal(err)
	}
	for range 4 { // create, push, check_suite, pull_request
		<-got
	}
	b.ResetTimer()
	for range b.N {
		if _, _, err := c.Issues.CreateComment(b.Context(), "acme", "ops", 1, &github.IssueComment{Body: github.String("x")}); err != nil {
			b.Fatal(err)
		}
	}
	for range b.N {
		<-got
	}
}

func BenchmarkOpenPull(b *testing.B) {
	w := benchWorld(b)
	ctx, c := b.Context(), w.user("alice")
	main, _, err := c.Git.GetRef(ctx, "acme", "ops", "heads/head")
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		name := fmt.Sprintf("incident/%d", i)
		ref := &github.Reference{Ref: github.String("refs/heads/" + name), Object: main.Object}
		b.StopTimer()
		if _, _, err := c.Git.CreateRef(ctx, "acme", "ops", ref); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, _, err := c.PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: &name, Head: &name, Base: github.String("main")}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetPull(b *testing.B) {
	w := benchWorld(b)
	ctx, c := b.Context(), w.user("alice")
	if _, _, err := c.PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: github.String("t"), Head: github.String("head"), Base: github.String("main")}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := c.PullRequests.Get(ctx, "acme", "ops", 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkComment(b *testing.B) {
	w := benchWorld(b)
	ctx, c := b.Context(), w.user("alice")
	if _, _, err := c.PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: github.String("t"), Head: github.String("head"), Base: github.String("main")}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := c.Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("x")}); err != nil {
			b.Fatal(err)
		}
	}
}
