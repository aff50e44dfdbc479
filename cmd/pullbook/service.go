package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/intake"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/step"
	"github.com/pullbook/pullbook/runbooks"
	"github.com/pullbook/pullbook/schema"
)

// settings are what `pullbook serve` is told. Each names a flag of the same words.
type settings struct {
	hubAPI          string // API root of the hub; empty: github.com
	repo            string // owner/name of the ledger
	appID           int64
	installation    int64  // of the App on the ledger; 0: the hub is asked
	appKey          string // file with the App's private key, PEM
	data            string // directory of the inbox and of the steps' scratch
	inboxURL        string // PostgreSQL database that holds the inbox; empty: a file in data
	listen          string // address for alerts and webhooks
	webhookSecret   string // file
	alertToken      string // file; empty: anonymous alerts from loopback only
	alertmanager    string // address; empty: no Alertmanager is asked what fires
	receiver        string // of the Alertmanager: the one that posts to this engine
	signingKey      string // file; made when absent
	secrets         string // directory, a file per secret
	privateNetworks bool
	limits          string // github or off
	buttons         bool   // whoever presses a button is heard without a webhook: a job brings the event
	sweep           time.Duration
	holder          string              // name of this engine among those of the ledger; empty: kept in the data directory
	rehearsal       *incident.Rehearsal // every incident is this rehearsal; nil: none is
	lease           time.Duration       // how long the ledger is this engine's without a renewal
}

// service is one engine with everything around it.
type service struct {
	settings settings
	log      *slog.Logger
	hub      *github.Client
	signer   gitstore.Signer
	store    *gitstore.Store
	inbox    *inbox.Inbox
	runner   *step.Runner
	eval     *cueval.Evaluator
	engine   *engine.Engine
	tenure   *gitstore.Tenure
	customs  *customs
	marks    engine.Bookmarks
	crowded  bool         // several incidents were open at the start
	asked    intake.Asked // the zero value: nobody is
	server   *http.Server
	listener net.Listener
}

// observer is told of events that have reached the remote branch.
type observer func(incident.ID, []incident.Event)

// newService builds everything in view. Nothing runs until run is called; close releases it.
func newService(ctx context.Context, s settings, log *slog.Logger, observe observer) (*service, error) {
	return newServiceOn(ctx, nil, s, log, observe)
}

// newServiceOn is newService with a listener that is open already.
func newServiceOn(ctx context.Context, listener net.Listener, s settings, log *slog.Logger, observe observer) (*service, error) {
	svc := &service{settings: s, log: log, listener: listener}
	if err := svc.prepare(ctx, observe); err != nil {
		svc.close()
		return nil, err
	}
	if err := svc.openServer(ctx); err != nil {
		svc.releaseLedger(ctx)
		svc.close()
		return nil, err
	}
	return svc, nil
}

// prepare builds everything but the server. When it returns without an error, the ledger is this engine's.
func (svc *service) prepare(ctx context.Context, observe observer) error {
	s := &svc.settings
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := svc.openInbox(ctx); err != nil {
		return err
	}
	if err := svc.oweQuestion(ctx); err != nil {
		return err
	}
	if err := svc.reach(ctx); err != nil {
		return err
	}
	if err := svc.meet(ctx); err != nil {
		return err
	}
	signers, err := svc.openLedger(ctx)
	if err != nil {
		return err
	}
	svc.runner, err = step.New(step.Config{Dir: filepath.Join(s.data, "steps"), KeepDir: filepath.Join(s.data, "kept"), SecretsDir: s.secrets, PrivateNetworks: s.privateNetworks,
		Tickets: ticketsPort{svc.hub}, Workflows: workflowsPort{svc.hub}})
	if err != nil {
		return fmt.Errorf("prepare the step runner: %w", err)
	}
	if n := svc.runner.Ended(); n > 0 {
		svc.log.Warn("programs were ended that steps of a killed engine had left running", "processes", n)
	}
	if err := svc.buildEngine(observe); err != nil {
		return err
	}
	if s.holder == "" {
		s.holder = svc.inbox.Name() // shared by engines of which the database admits one
	}
	if s.holder == "" {
		if s.holder, err = holderOf(s.data); err != nil {
			return err
		}
	}
	return svc.takeLedger(ctx, signers)
}

// reach prepares what asks the hub and the ledger, once. It asks for nothing yet, but for the App's installation where that
// is not configured.
func (svc *service) reach(ctx context.Context) error {
	if svc.store != nil {
		return nil
	}
	s := svc.settings
	owner, name, err := splitRepo(s.repo)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(s.appKey)
	if err != nil {
		return withHint(fmt.Errorf("read the App's private key: %w", err), "--app-key is the .pem file that the hub gave when the App was made")
	}
	if len(strings.TrimSpace(string(key))) == 0 {
		return withHint(fmt.Errorf("the App's private key in %s is empty", s.appKey), emptyKeyHint)
	}
	config := github.Config{BaseURL: s.hubAPI, AppID: s.appID, InstallationID: s.installation, Key: key, Owner: owner, Repo: name, Logger: svc.log}
	if s.limits == "github" {
		config.Limits = github.GitHubLimits()
	}
	if svc.hub, err = github.Reach(ctx, config); err != nil {
		return withHint(err, wrongApp(s.repo))
	}
	if svc.signer, err = loadSigner(s.signingKey); err != nil {
		return err
	}
	var interval time.Duration
	if s.limits == "github" {
		interval = 10 * time.Second
	}
	svc.store, err = gitstore.Open(gitstore.Config{URL: svc.hub.GitURL(), Credentials: svc.hub.Credentials, Rejected: svc.hub.Reject,
		Signer: svc.signer, Author: gitstore.Identity{Name: "pullbook", Email: principal}, MinInterval: interval})
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	return nil
}

// emptyKeyHint is for jobs: a secret that a job does not see is an empty text.
const emptyKeyHint = "in GitHub Actions: is the secret in the job's environment, and does the job run on a branch that the environment allows?"

func wrongApp(repo string) string {
	return "the App must be installed on " + repo + "; --app-id and --app-key belong together"
}

// meet reads what the hub knows of the App and of the ledger.
func (svc *service) meet(ctx context.Context) error {
	if err := svc.hub.Meet(ctx); err != nil {
		return withHint(err, wrongApp(svc.settings.repo))
	}
	return nil
}

func loadSigner(path string) (gitstore.Signer, error) {
	signer, err := gitstore.LoadSigner(path)
	if errors.Is(err, os.ErrNotExist) {
		return gitstore.GenerateSigner(path, principal)
	}
	return signer, err
}

// principal is the name under which the engine's key stands in allowed_signers and signs commits.
const principal = "pullbook@localhost"

// openLedger opens the ledger and returns whose commits are an engine's: the keys that it lists, and this engine's own.
func (svc *service) openLedger(ctx context.Context) (gitstore.AllowedSigners, error) {
	port := svc.ledger()
	heads, err := port.Heads(ctx)
	if err != nil {
		return gitstore.AllowedSigners{}, fmt.Errorf("read the ledger: %w", err)
	}
	tip, err := gitstore.ParseHash(heads[svc.hub.DefaultBranch()])
	if err != nil {
		return gitstore.AllowedSigners{}, withHint(fmt.Errorf("the ledger has no branch %q: %w", svc.hub.DefaultBranch(), err), "push a first commit to it")
	}
	open := 0
	for branch := range heads {
		if strings.HasPrefix(branch, incident.BranchPrefix) {
			open++
		}
	}
	svc.crowded = open > 1
	if err := svc.checkSigner(ctx, tip); err != nil {
		return gitstore.AllowedSigners{}, err
	}
	return port.signers(ctx, tip)
}

// checkSigner says aloud when the ledger does not list the engine's key, or not for now: its commits would not verify.
func (svc *service) checkSigner(ctx context.Context, tip gitstore.Hash) error {
	files, err := svc.store.Files(ctx, tip, signersPath)
	if err != nil {
		return fmt.Errorf("read %s: %w", signersPath, err)
	}
	allowed, err := gitstore.ParseAllowedSigners(files[signersPath].Data)
	if err != nil {
		return fmt.Errorf("read %s on %s: %w", signersPath, svc.hub.DefaultBranch(), err)
	}
	if allowed.Allows(svc.signer, time.Now()) {
		return nil
	}
	svc.log.Warn("the ledger does not list this engine's key as one that may sign now: audit verify will refuse its commits; add this line",
		"file", signersPath, "line", strings.TrimSpace(svc.signer.AllowedLine(principal)))
	return nil
}

func (svc *service) ledger() ledgerPort {
	return ledgerPort{store: svc.store, own: svc.signer.AllowedLine(principal)}
}

// evalLinger is how long the evaluator of an incident's plan waits for the next question about it. Steps that take longer than this can wait for
// a new process.
const evalLinger = 2 * time.Second

func (svc *service) buildEngine(observe observer) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to evaluate runbooks with: %w", err)
	}
	eval := cueval.New(cueval.Config{Child: []string{exe, evalChild}, Linger: evalLinger})
	svc.eval = eval
	triage := runbook.Source{Runbook: "runbooks/triage.cue", Files: runbooks.Files()}
	ledger, s := svc.ledger(), svc.settings
	svc.customs = &customs{ledger: ledger, branch: svc.hub.DefaultBranch(), eval: eval, log: svc.log}
	svc.engine = engine.New(engine.Config{
		Hub: svc.hub, Ledger: ledger, Journal: ledger, Eval: evalPort{eval}, Inbox: inboxPort{svc.inbox, svc.runner}, Runner: runnerPort{svc.runner, s.rehearsal != nil}, Workflows: workflowsPort{svc.hub}, Rehearsal: s.rehearsal,
		Reviewing: engine.Reviewing{Hub: svc.hub, List: ledger.list,
			Checker: cueval.New(cueval.Config{Child: []string{exe, evalChild}, Wall: vetWall, Children: 1})}, // incidents need the other processors
		Clock: wallClock{}, Bookmarks: svc.bookmarks(), DefaultBranch: svc.hub.DefaultBranch(), Triage: triage, Versions: versions(), Schema: schema.Runbook(),
		Observe: observe, Log: svc.log, Buttons: s.webhookSecret != "" || s.buttons,
	})
	return nil
}

// openServer listens for alerts, webhooks and orders.
func (svc *service) openServer(ctx context.Context) error {
	secret, err := readSecret(svc.settings.webhookSecret)
	if err != nil {
		return err
	}
	token, err := readSecret(svc.settings.alertToken)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/alerts/", intake.NewHandler(intake.Config{
		Token:          func(string) string { return string(token) },
		AllowAnonymous: len(token) == 0,
		Put:            func(ctx context.Context, a incident.Alert) error { return svc.putAlert(ctx, engine.Arrival{Alert: a}) },
		Map:            svc.customs.Map,
		Logger:         svc.log,
	}))
	mux.Handle("/open", svc.openHandler(token))
	mux.Handle("/why", svc.whyHandler(token))
	if len(secret) > 0 {
		if err := svc.oweDeliveries(ctx); err != nil {
			return err
		}
		mux.Handle("/webhooks", github.NewWebhook(svc.webhookConfig(secret)))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	if svc.listener == nil {
		if svc.listener, err = net.Listen("tcp", svc.settings.listen); err != nil {
			return withHint(fmt.Errorf("listen: %w", err), "--listen takes another address, such as 127.0.0.1:0")
		}
	}
	svc.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	return nil
}

// putAlert makes an alert durable. It has come now, unless it says otherwise.
func (svc *service) putAlert(ctx context.Context, a engine.Arrival) error {
	if a.Received.IsZero() {
		a.Received = wallClock{}.Now()
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the alert: %w", err)
	}
	return svc.inbox.Put(ctx, inbox.Message{Kind: engine.KindAlert, Key: a.Alert.Group, Body: body})
}

// putPress makes durable that a person has pressed a button.
func (svc *service) putPress(ctx context.Context, id incident.ID, p incident.Press) (fresh bool, err error) {
	body, err := json.Marshal(p)
	if err != nil {
		return false, fmt.Errorf("encode the press of a button: %w", err)
	}
	return svc.inbox.PutOnce(ctx, p.Delivery, inbox.Message{Kind: engine.KindPress, Key: id.Branch(), Body: body})
}

func (svc *service) webhookConfig(secret []byte) github.WebhookConfig {
	return github.WebhookConfig{Secret: secret, Repository: svc.settings.repo, InstallationID: svc.hub.InstallationID(), AppID: svc.settings.appID, OwnSender: svc.hub.Bot(), Logger: svc.log,
		Event: svc.takeEvent, Events: intake.Events(),
		Once: func(ctx context.Context, delivery string, h github.Hint) (bool, error) {
			m := inbox.Message{Kind: engine.KindSweep, Key: "ledger"}
			if p := h.Press; p != nil {
				if id, ok := p.Incident(); ok {
					return svc.putPress(ctx, id, *p)
				}
			}
			switch {
			case h.Run > 0:
				m = inbox.Message{Kind: engine.KindRun, Key: engine.RunKey(h.Run)}
			case strings.HasPrefix(h.Branch, incident.BranchPrefix):
				m = inbox.Message{Kind: engine.KindHub, Key: h.Branch}
			case h.Again != "":
				m = inbox.Message{Kind: engine.KindAgain, Key: engine.AgainKey(h.Again)}
			case h.Kind == "pull_request":
				m = inbox.Message{Kind: engine.KindProposals, Key: engine.KindProposals}
			case h.Pull > 0:
				m = inbox.Message{Kind: engine.KindPull, Key: fmt.Sprintf("pull/%d", h.Pull)}
			}
			return svc.inbox.PutOnce(ctx, delivery, m)
		}}
}

// run works until ctx is done, then stops gracefully.
func (svc *service) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
	go func() { failed <- svc.inbox.Run(ctx, svc.events()) }()
	go func() {
		err := svc.server.Serve(svc.listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		failed <- err
	}()
	go func() { failed <- svc.tenure.Keep(ctx) }()
	var reading sync.WaitGroup
	if svc.crowded {
		reading.Go(func() { svc.engine.ReadOpen(ctx) })
	}
	go svc.sweep(ctx)
	var first error
	select {
	case <-ctx.Done():
	case first = <-failed:
		failed <- nil
		cancel()
	}
	reading.Wait()
	defer svc.releaseLedger(ctx)
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	err := svc.server.Shutdown(stop)
	return errors.Join(first, err, <-failed, <-failed, <-failed)
}

// sweep wakes every open incident at the start and then at every interval.
func (svc *service) sweep(ctx context.Context) {
	ticker := time.NewTicker(svc.settings.sweep)
	defer ticker.Stop()
	for {
		svc.collect()
		if err := svc.inbox.Put(ctx, inbox.Message{Kind: engine.KindSweep, Key: "ledger"}); err != nil && ctx.Err() == nil {
			svc.log.Error("cannot store the sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sparingFrom is how many open incidents make the engine give memory back sooner.
const sparingFrom = 250

// collect has garbage collected when it is half of what is in use, and not as much, where many incidents are open: what is known of them
// is most of the memory then, and stays. An operator who has set GOGC knows better.
func (svc *service) collect() {
	marks, err := svc.bookmarks().Marks()
	if err != nil || os.Getenv("GOGC") != "" {
		return
	}
	percent := 100
	if len(marks) >= sparingFrom {
		percent = 50
	}
	debug.SetGCPercent(percent)
}

// close releases everything that was opened, in the opposite order.
func (svc *service) close() {
	if svc.listener != nil {
		_ = svc.listener.Close() // closed by Serve already, as a rule
	}
	if svc.runner != nil {
		if err := svc.runner.Close(); err != nil {
			svc.log.Error("cannot close the step runner", "error", err)
		}
	}
	if svc.eval != nil {
		svc.eval.Close()
	}
	if svc.store != nil {
		svc.store.Close()
	}
	if svc.inbox != nil {
		if err := svc.inbox.Close(); err != nil {
			svc.log.Error("cannot close the inbox", "error", err)
		}
	}
}

// readSecret reads a secret from a file; an empty path is no secret.
func readSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	if secret := strings.TrimSpace(string(b)); secret != "" {
		return []byte(secret), nil
	}
	return nil, fmt.Errorf("the secret in %s is empty", path)
}

// atLeastWarn drops what a chatty library says of its ordinary work.
type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h atLeastWarn) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(attrs)}
}

func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}
