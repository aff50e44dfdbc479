package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub"
)

// TestKillHub kills `pullbook hub` with SIGKILL while two clients write to it, and starts it again on its directory: all
// that was answered is there, tokens go on, and memory and disk agree.
func TestKillHub(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	h := newHubChild(t)
	h.start(t)
	h.firstPull(t)
	dice := mathrand.New(mathrand.NewPCG(20261122, 1))
	for round := range 8 {
		enough := 3 + dice.IntN(40)
		h.writeUntilKilled(t, round, enough)
		h.start(t)
		h.checkAll(t)
		if t.Failed() {
			t.Fatalf("round %d, killed after %d answers", round, enough)
		}
	}
}

// hubChild is a hub in a process of its own, and what it has answered.
type hubChild struct {
	dir, url string
	cmd      *exec.Cmd
	app      http.RoundTripper // one installation token for the whole test

	mu      sync.Mutex
	promise []promise
}

// promise is something that the hub has answered, and how to look whether it is still so.
type promise struct {
	name string
	kept func(ctx context.Context) error
}

func newHubChild(t *testing.T) *hubChild {
	t.Helper()
	h := &hubChild{dir: t.TempDir()}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	seed, err := json.Marshal(localhub.Seed{
		Users: []localhub.SeedUser{{Login: "alice", ID: 101, Token: "alice-token"}, {Login: "bob", ID: 102, Token: "bob-token"}},
		Apps: []localhub.SeedApp{{ID: 7, Slug: "robot", Owner: "alice", Key: string(text), Permissions: map[string]string{
			"contents": "write", "checks": "write", "statuses": "write", "pull_requests": "write", "issues": "write"}}},
		Installations: []localhub.SeedInstallation{{ID: 700, App: "robot", Account: "alice"}},
		Repositories: []localhub.SeedRepository{{Name: "alice/ops", Private: true, Collaborators: map[string]string{"bob": "write"},
			Files: map[string]string{"README.md": "ops\n"}}},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(h.dir, "seed.json"), seed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	app, err := ghinstallation.New(relay{h}, 7, 700, text)
	if err != nil {
		t.Fatal(err)
	}
	app.BaseURL = "http://hub/api/v3"
	h.app = app
	t.Cleanup(h.kill)
	return h
}

// relay sends requests to where the hub is now.
type relay struct{ h *hubChild }

func (r relay) RoundTrip(req *http.Request) (*http.Response, error) {
	u, err := url.Parse(r.h.url)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.URL.Host, req.Host = u.Host, u.Host
	return http.DefaultTransport.RoundTrip(req)
}

func (h *hubChild) client(token string) *github.Client {
	c := github.NewClient(&http.Client{Transport: relay{h}})
	if token != "" {
		c = c.WithAuthToken(token)
	} else {
		c = github.NewClient(&http.Client{Transport: h.app})
	}
	c.BaseURL = &url.URL{Scheme: "http", Host: "hub", Path: "/api/v3/"}
	return c
}

// start runs this test binary as pullbook hub and waits until it tells its address.
func (h *hubChild) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "hub", "--dir", filepath.Join(h.dir, "hub"), "--seed", filepath.Join(h.dir, "seed.json"), "--listen", "127.0.0.1:0")
	cmd.Args[0] = "pullbook"
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.cmd = cmd
	lines := bufio.NewScanner(errs)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if _, after, ok := strings.Cut(lines.Text(), "local hub on "); ok {
			h.url, _, _ = strings.Cut(after, " ")
			go io.Copy(io.Discard, errs) //nolint:errcheck // it ends with the process
			return
		}
	}
	t.Fatalf("the hub did not start: %v", seen)
}

func (h *hubChild) kill() {
	if h.cmd != nil && h.cmd.ProcessState == nil {
		_ = h.cmd.Process.Signal(syscall.SIGKILL) // it may be gone already
		_ = h.cmd.Wait()                          // it was killed
	}
}

func (h *hubChild) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.org", "-C", filepath.Join(h.dir, "clone")}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %v: %w: %s", args, err, out)
	}
	return nil
}

func (h *hubChild) remote() string {
	return strings.Replace(h.url, "http://", "http://alice:alice-token@", 1) + "/alice/ops.git"
}

func (h *hubChild) firstPull(t *testing.T) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(h.dir, "clone"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.git(t.Context(), "clone", "-q", h.remote(), "."); err != nil {
		t.Fatal(err)
	}
	if err := h.openPull(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
}

// openPull pushes a branch and opens a pull request for it.
func (h *hubChild) openPull(ctx context.Context, branch string) error {
	for _, args := range [][]string{
		{"switch", "-q", "-c", branch, "origin/main"}, {"commit", "-q", "--allow-empty", "-m", branch}, {"push", "-q", h.remote(), branch},
	} {
		if err := h.git(ctx, args...); err != nil {
			return err
		}
	}
	sha, err := os.ReadFile(filepath.Join(h.dir, "clone", ".git", "refs", "heads", branch))
	if err != nil {
		return err
	}
	head := strings.TrimSpace(string(sha))
	h.answered("the branch "+branch, func(ctx context.Context) error {
		ref, _, err := h.client("alice-token").Git.GetRef(ctx, "alice", "ops", "heads/"+branch)
		return same(err, ref.GetObject().GetSHA(), head)
	})
	p, _, err := h.client("alice-token").PullRequests.Create(ctx, "alice", "ops", &github.NewPullRequest{Title: &branch, Head: &branch, Base: github.String("main")})
	if err != nil {
		return err
	}
	h.answered("the pull request of "+branch, func(ctx context.Context) error {
		got, _, err := h.client("alice-token").PullRequests.Get(ctx, "alice", "ops", p.GetNumber())
		return same(err, got.GetTitle()+got.GetHead().GetSHA()+got.GetState(), branch+head+"open")
	})
	return nil
}

func same(err error, got, want string) error {
	if err == nil && got != want {
		err = fmt.Errorf("it is %q and was %q", got, want)
	}
	return err
}

// answered notes a promise and says how many there are.
func (h *hubChild) answered(name string, kept func(context.Context) error) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.promise = append(h.promise, promise{name, kept})
	return len(h.promise)
}

// writeUntilKilled lets two clients write, and kills the hub after so many answers, in the midst of what comes next.
func (h *hubChild) writeUntilKilled(t *testing.T, round, enough int) {
	t.Helper()
	h.mu.Lock()
	goal := len(h.promise) + enough
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := 0; h.openPull(ctx, fmt.Sprintf("r%d-%d", round, i)) == nil; i++ {
		}
	})
	for i := 0; ; i++ {
		n, err := h.talk(ctx, round*1000+i)
		if err != nil {
			t.Errorf("before the hub was killed: %v", err)
			break
		}
		if n >= goal {
			break
		}
	}
	writers.Go(func() { // what is under way when the hub ends may be there or not
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := h.talk(ctx, round*1000+500+i); err != nil {
				return
			}
		}
	})
	h.kill()
	cancel()
	writers.Wait()
}

// talk makes one of the changes that need no commit.
func (h *hubChild) talk(ctx context.Context, n int) (int, error) {
	text := fmt.Sprintf("text %d", n)
	alice, bob, app := h.client("alice-token"), h.client("bob-token"), h.client("")
	switch n % 5 {
	case 0:
		c, _, err := alice.Issues.CreateComment(ctx, "alice", "ops", 1, &github.IssueComment{Body: &text})
		if err != nil {
			return 0, err
		}
		return h.answered("comment "+text, func(ctx context.Context) error {
			got, _, err := alice.Issues.GetComment(ctx, "alice", "ops", c.GetID())
			return same(err, got.GetBody(), text)
		}), nil
	case 1:
		v, _, err := bob.PullRequests.CreateReview(ctx, "alice", "ops", 1, &github.PullRequestReviewRequest{Event: github.String("APPROVE"), Body: &text})
		if err != nil {
			return 0, err
		}
		return h.answered("review "+text, func(ctx context.Context) error {
			got, _, err := bob.PullRequests.GetReview(ctx, "alice", "ops", 1, v.GetID())
			return same(err, got.GetBody()+got.GetState()+got.GetCommitID(), text+"APPROVED"+v.GetCommitID())
		}), nil
	case 2:
		_, _, err := bob.Issues.AddLabelsToIssue(ctx, "alice", "ops", 1, []string{text})
		if err != nil {
			return 0, err
		}
		return h.answered("label "+text, func(ctx context.Context) error { return h.hasLabel(ctx, text) }), nil
	default:
		return h.check(ctx, app, text)
	}
}

func (h *hubChild) hasLabel(ctx context.Context, name string) error {
	p, _, err := h.client("alice-token").PullRequests.Get(ctx, "alice", "ops", 1)
	if err != nil {
		return err
	}
	for _, l := range p.Labels {
		if l.GetName() == name {
			return nil
		}
	}
	return fmt.Errorf("label %q is gone", name)
}

func (h *hubChild) check(ctx context.Context, app *github.Client, name string) (int, error) {
	main, _, err := app.Git.GetRef(ctx, "alice", "ops", "heads/main")
	if err != nil {
		return 0, err
	}
	run, _, err := app.Checks.CreateCheckRun(ctx, "alice", "ops", github.CreateCheckRunOptions{
		Name: name, HeadSHA: main.GetObject().GetSHA(), Conclusion: github.String("success")})
	if err != nil {
		return 0, err
	}
	return h.answered("check run "+name, func(ctx context.Context) error {
		got, _, err := app.Checks.GetCheckRun(ctx, "alice", "ops", run.GetID())
		return same(err, got.GetName()+got.GetConclusion(), name+"success")
	}), nil
}

// checkAll looks at everything that was ever answered, with the token that the App had before.
func (h *hubChild) checkAll(t *testing.T) {
	t.Helper()
	for _, p := range h.promise {
		if err := p.kept(t.Context()); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	resp, err := http.Get(h.url + "/_hub/verify")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("verify: %s, %v", text, err)
	}
}
