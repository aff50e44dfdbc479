package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/limits"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
)

const (
	demoOwner, demoName = "acme", "ops"
	demoAppID           = 1
	demoInstallation    = 2
)

// world is the demonstration's hub with its people, and the engine's place in it.
type world struct {
	dir         string
	url         string // of the hub
	hub         *localhub.Hub
	server      *http.Server
	owner       string // of the ledger
	librarian   string // who wrote its first commit, and reads its pull requests
	rehearsal   *incident.Rehearsal
	hooks       net.Listener // where the engine will take webhooks
	tokens      map[string]string
	fingerprint string // of the engine's signing key
	limits      string // what the hub holds the engine to, and the engine itself: off or github
	count       tally
}

// stage is what a world is set up with.
type stage struct {
	dir    string                          // keeps everything
	listen string                          // address of the hub
	files  map[string]string               // of the ledger, beside or in place of the sample's
	cast   *cast                           // of a rehearsal, with its ledger; nil: the sample's
	open   bool                            // whoever may write may also push to incidents' branches
	more   []string                        // further ledgers of the organisation, with the same files
	limits string                          // of the hub, which the engine keeps: off or github; empty: off
	wrap   func(http.Handler) http.Handler // stands before the hub, if it is set
}

// newWorld makes the keys, the sample ledger and the hub.
func newWorld(ctx context.Context, st stage) (_ *world, err error) {
	w := &world{dir: st.dir, owner: demoOwner, librarian: "carol", tokens: map[string]string{}, limits: cmp.Or(st.limits, "off"), count: newTally()}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.hooks, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	listener, err := net.Listen("tcp", st.listen)
	if err != nil {
		return nil, withHint(fmt.Errorf("start the local hub: %w", err), "--listen takes another address")
	}
	w.url = "http://" + listener.Addr().String()
	seed, err := w.seed(st)
	if err == nil && st.cast != nil {
		w.casting(&seed, *st.cast)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	rates, err := limits.Parse(w.limits)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	w.hub, err = localhub.Open(localhub.Config{Dir: filepath.Join(st.dir, "hub"), Seed: seed, Limits: rates, Logger: slog.New(slog.DiscardHandler), OnRequest: w.count.add})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the local hub: %w", err), listener.Close())
	}
	handler := w.hub.Handler()
	if st.wrap != nil {
		handler = st.wrap(handler)
	}
	w.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go w.server.Serve(listener) //nolint:errcheck // it ends with ErrServerClosed
	return w, nil
}

func (w *world) close() {
	if w.server != nil {
		_ = w.server.Close() // the process or the test ends here
	}
	if w.hub != nil {
		_ = w.hub.Close()
	}
	if w.hooks != nil {
		_ = w.hooks.Close()
	}
}

// seed is the sample: an organisation, three people, one App, one ledger.
func (w *world) seed(st stage) (localhub.Seed, error) {
	key, err := w.appKey()
	if err != nil {
		return localhub.Seed{}, err
	}
	signer, err := gitstore.GenerateSigner(filepath.Join(w.dir, "signing_key"), "pullbook demo")
	if err != nil {
		return localhub.Seed{}, err
	}
	w.fingerprint = signer.Fingerprint()
	secret := rand.Text()
	if err := os.WriteFile(filepath.Join(w.dir, "webhook.secret"), []byte(secret), 0o600); err != nil {
		return localhub.Seed{}, err
	}
	files := sampleLedger(signer)
	maps.Copy(files, st.files)
	restrict := "pullbook"
	if st.open {
		restrict = ""
	}
	seed := localhub.Seed{
		Organizations: []localhub.SeedOrganization{{Login: demoOwner, Name: "Acme", Owners: []string{"carol"}}},
		Teams:         []localhub.SeedTeam{{Org: demoOwner, Slug: "sre", Name: "SRE", Members: []string{"alice", "bob"}}},
		Apps: []localhub.SeedApp{{ID: demoAppID, Slug: "pullbook", Name: "Pullbook", Owner: demoOwner, Key: key,
			Webhook: localhub.SeedWebhook{URL: "http://" + w.hooks.Addr().String() + "/webhooks", Secret: secret},
			Permissions: map[string]string{"contents": "write", "pull_requests": "write", "checks": "write", "statuses": "write",
				"issues": "write", "members": "read", "metadata": "read", "actions": "write"},
			Events: []string{"pull_request", "pull_request_review", "issue_comment", "push", "check_run", "repository_dispatch", "workflow_run", "issues", "deployment_status"}}},
		Installations: []localhub.SeedInstallation{{ID: demoInstallation, App: "pullbook", Account: demoOwner}},
		Repositories: []localhub.SeedRepository{{Name: demoOwner + "/" + demoName, Description: "Runbooks and incidents of Acme",
			Collaborators: map[string]string{"alice": "write", "bob": "write", "carol": "admin"}, Teams: map[string]string{"sre": "write"},
			RequiredChecks: []string{incident.RollupName}, RestrictIncidentBranches: restrict,
			Files: files, Author: localhub.SeedAuthor{Name: "Carol", Email: "carol@acme.test"}}},
	}
	for _, name := range st.more {
		another := seed.Repositories[0]
		another.Name = demoOwner + "/" + name
		seed.Repositories = append(seed.Repositories, another)
	}
	for i, login := range []string{"alice", "bob", "carol"} {
		w.tokens[login] = "demo_" + rand.Text()
		seed.Users = append(seed.Users, localhub.SeedUser{Login: login, ID: int64(101 + i), Email: login + "@acme.test", Name: strings.ToUpper(login[:1]) + login[1:], Token: w.tokens[login]})
	}
	return seed, nil
}

// appKey makes the App's private key and returns it as PEM.
func (w *world) appKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make the App's key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return string(text), os.WriteFile(filepath.Join(w.dir, "app.pem"), text, 0o600)
}

// sampleLedger is the first commit of the ledger.
func sampleLedger(signer gitstore.Signer) map[string]string {
	files := map[string]string{
		"README.md":    "# ops\n\nRunbooks of Acme, and the history of its incidents.\n",
		"pullbook.cue": string(runbooks.Organisation()),
		signersPath:    signer.AllowedLine(principal),
	}
	for path, data := range runbooks.Files() {
		files[path] = string(data)
	}
	return files
}

// service makes the engine of this world.
func (w *world) service(ctx context.Context, log *slog.Logger, observe observer) (*service, error) {
	s := settings{hubAPI: w.url + "/api/v3", repo: w.owner + "/" + demoName, rehearsal: w.rehearsal, appID: demoAppID, appKey: filepath.Join(w.dir, "app.pem"),
		data: filepath.Join(w.dir, "engine"), webhookSecret: filepath.Join(w.dir, "webhook.secret"),
		signingKey: filepath.Join(w.dir, "signing_key"), privateNetworks: true, limits: w.limits, sweep: time.Minute, lease: 10 * time.Minute}
	return newServiceOn(ctx, w.hooks, s, log, observe)
}

// client is the hub's API as one person uses it.
func (w *world) client(login string) (*github.Client, error) {
	c := github.NewClient(nil).WithAuthToken(w.tokens[login])
	base, err := url.Parse(w.url + "/api/v3/")
	if err != nil {
		return nil, err
	}
	c.BaseURL = base
	return c, nil
}

// pull finds the number of the pull request of a branch. The engine opens it just after the branch, so it is waited for.
func (w *world) pull(ctx context.Context, branch string) (int, error) {
	p, err := w.waitPull(ctx, branch, func(*github.PullRequest) bool { return true })
	return p.GetNumber(), err
}

func (w *world) waitMerged(ctx context.Context, branch string) error {
	_, err := w.waitPull(ctx, branch, func(p *github.PullRequest) bool { return p.MergedAt != nil })
	return err
}

func (w *world) waitPull(ctx context.Context, branch string, good func(*github.PullRequest) bool) (*github.PullRequest, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := w.client(w.librarian)
	if err != nil {
		return nil, err
	}
	for {
		pulls, _, err := c.PullRequests.List(ctx, w.owner, demoName, &github.PullRequestListOptions{State: "all", Head: w.owner + ":" + branch})
		if err != nil {
			return nil, fmt.Errorf("find the pull request of %s: %w", branch, err)
		}
		if len(pulls) > 0 && good(pulls[0]) {
			return pulls[0], nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the pull request of %s is not there, or not merged: %w", branch, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *world) review(ctx context.Context, login string, number int, body string) error {
	c, err := w.client(login)
	if err != nil {
		return err
	}
	_, _, err = c.PullRequests.CreateReview(ctx, w.owner, demoName, number, &github.PullRequestReviewRequest{Event: github.String("APPROVE"), Body: &body})
	if err != nil {
		return fmt.Errorf("review as %s: %w", login, err)
	}
	return nil
}

func (w *world) comment(ctx context.Context, login string, number int, body string) error {
	c, err := w.client(login)
	if err != nil {
		return err
	}
	if _, _, err := c.Issues.CreateComment(ctx, w.owner, demoName, number, &github.IssueComment{Body: &body}); err != nil {
		return fmt.Errorf("comment as %s: %w", login, err)
	}
	return nil
}

func (w *world) pullURL(number int) string {
	return fmt.Sprintf("%s/%s/%s/pull/%d", w.url, w.owner, demoName, number)
}

// bareRepo is the ledger's repository on disk.
func (w *world) bareRepo() string { return filepath.Join(w.dir, "hub", w.owner, demoName+".git") }

// frozenPlan reads the plan of an incident from its branch, or from the default branch when it has been merged.
func (w *world) frozenPlan(id incident.ID) (runbook.Plan, error) {
	var plan runbook.Plan
	clone, err := gitstore.OpenClone(w.bareRepo())
	if err != nil {
		return plan, err
	}
	defer clone.Close()
	_, tip, err := clone.Head()
	if err != nil {
		return plan, err
	}
	refs, err := clone.Refs()
	if err != nil {
		return plan, err
	}
	if open, ok := refs["refs/heads/"+id.Branch()]; ok {
		tip = open
	}
	commit, err := clone.Commit(tip)
	if err != nil {
		return plan, err
	}
	path := journal.PlanPath(id.Dir())
	files, err := clone.Files(commit.Tree, path)
	if err != nil {
		return plan, fmt.Errorf("read the plan of %s: %w", id, err)
	}
	return plan, json.Unmarshal(files[path].Data, &plan)
}
