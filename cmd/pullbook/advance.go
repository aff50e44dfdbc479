package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
)

const (
	// advanceLease is how long a run that was killed keeps the ledger to itself.
	advanceLease = 3 * time.Minute
	// attempts is how often one message may fail before a run gives up on it: about eight seconds.
	attempts = 6
	settling = 20 * time.Millisecond // between two looks at what is left to do
)

type advanceFlags struct {
	incident  string
	alert     string
	event     string // file
	eventName string
	runbook   string
	inputs    []string
	linger    time.Duration
	within    time.Duration
	summary   string
	outputs   string
	json      bool
	verbose   bool
}

func advanceCommand() *cobra.Command {
	var s settings
	var f advanceFlags
	cmd := &cobra.Command{
		Use:   "advance",
		Short: "Look once at the incidents of a ledger, do everything that is due, and exit",
		Long: `Advance is the engine without a server: it takes the ledger, looks at one or all of its
open incidents, does everything that is due, waits for the steps that it started, says
what it did and what waits for whom, and exits. It keeps nothing between two runs: what
it needs to know is in git and on the hub. While another engine serves the ledger, it
waits for it.

Exit status: 0 nothing is left that could be done now, 1 something failed or could not
be done within --within, 2 wrong usage.`,
		Example: `  pullbook advance --repo acme/ops --app-id 1234 --app-key app.pem --signing-key key
  pullbook advance --incident 2026-11-22-checkout-5f0c ...
  pullbook advance --alert alert.json --runbook checkout ...
  pullbook advance --event "$GITHUB_EVENT_PATH" ...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAdvance(cmd, s, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&s.hubAPI, "hub", os.Getenv("GITHUB_API_URL"), "API root of the hub (default $GITHUB_API_URL, or github.com)")
	fl.StringVar(&s.repo, "repo", os.Getenv("GITHUB_REPOSITORY"), "the ledger, owner/name (default $GITHUB_REPOSITORY)")
	fl.Int64Var(&s.appID, "app-id", 0, "id of the GitHub App")
	fl.Int64Var(&s.installation, "installation-id", 0, "id of the App's installation on the ledger, which saves asking for it")
	fl.StringVar(&s.appKey, "app-key", "", "file with the App's private key (PEM)")
	fl.StringVar(&s.signingKey, "signing-key", "", "ssh ed25519 key that signs the ledger")
	fl.StringVar(&s.secrets, "secrets-dir", "", "directory with one file per secret that steps may name")
	fl.BoolVar(&s.privateNetworks, "private-networks", false, "let http, probe and notify steps reach private and loopback addresses")
	fl.StringVar(&s.limits, "limits", "github", "keep the hub's limits: github or off")
	fl.BoolVar(&s.buttons, "buttons", false, "show buttons: the event of one that is pressed starts a run with --event")
	fl.StringVar(&f.incident, "incident", "", "look at this incident alone: its id or its branch")
	fl.StringVar(&f.alert, "alert", "", "take this alert first: a file with a generic alert (JSON), - for standard input")
	fl.StringVar(&f.event, "event", "", "take what this event brings first, an alert or a button that was pressed: a file with GitHub's event ($GITHUB_EVENT_PATH)")
	fl.StringVar(&f.eventName, "event-name", cmp.Or(os.Getenv("GITHUB_EVENT_NAME"), repositoryDispatch), "which event it is (default $GITHUB_EVENT_NAME, or repository_dispatch)")
	fl.StringVar(&f.runbook, "runbook", "", "open the incident with this runbook, whatever the alert matches")
	fl.StringArrayVar(&f.inputs, "input", nil, "value of an input of --runbook, as name=value; can be given many times")
	fl.DurationVar(&f.linger, "linger", 10*time.Second, "stay for timers that are due this soon")
	fl.DurationVar(&f.within, "within", 30*time.Minute, "give up after this time; what was begun is found by the next run")
	fl.StringVar(&f.summary, "summary", os.Getenv("GITHUB_STEP_SUMMARY"), "append what was done to this file, as Markdown (default $GITHUB_STEP_SUMMARY)")
	fl.StringVar(&f.outputs, "github-output", os.Getenv("GITHUB_OUTPUT"), "append the outputs did, open and next to this file (default $GITHUB_OUTPUT)")
	fl.BoolVar(&f.json, "json", false, "print what was done as JSON")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return cmd
}

// advance is one run.
type advance struct {
	flags   advanceFlags
	svc     *service
	ordered bool    // the event is an order
	seen    *glance // before the ledger was taken; nil: it could not be seen

	mu     sync.Mutex
	deeds  []deed
	failed map[string]error // what could not be handled, by key
	tries  map[string]int
}

// deed is something that was done for an incident.
type deed struct {
	Incident incident.ID `json:"incident"`
	Done     string      `json:"done"`
}

// summary is what one run did and what it left.
type summary struct {
	Done   []deed            `json:"done"`
	Open   []engine.Standing `json:"open"`
	Next   time.Time         `json:"next,omitzero"` // when the first timer is due
	Failed []string          `json:"failed,omitempty"`
}

func runAdvance(cmd *cobra.Command, s settings, f advanceFlags) error {
	a := &advance{flags: f, failed: map[string]error{}, tries: map[string]int{}}
	arrival, err := a.arrival(cmd.InOrStdin())
	if err != nil {
		return err
	}
	if _, err := f.branch(); err != nil {
		return err
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	if err := s.checkAdvance(); err != nil {
		return usageError{err}
	}
	if s.data, err = os.MkdirTemp("", "pullbook-advance-"); err != nil {
		return fmt.Errorf("make a directory for this run: %w", err)
	}
	defer os.RemoveAll(s.data)
	s.holder, s.lease = newHolder(), advanceLease
	ctx, cancel := context.WithTimeout(cmd.Context(), f.within)
	defer cancel()
	a.svc = &service{settings: s, log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))}
	defer a.svc.close()
	if err := a.look(ctx); err != nil {
		return err
	}
	event, err := a.brings()
	if err != nil {
		return err
	}
	if arrival == nil && f.incident == "" && event == nil && a.seen.quiet() {
		return a.report(cmd, inbox.Standing{})
	}
	if err := a.svc.prepare(ctx, a.observe); err != nil {
		return err
	}
	defer a.svc.releaseLedger(cmd.Context())
	if err := errors.Join(a.heed(ctx, event), a.put(ctx, arrival)); err != nil {
		return err
	}
	left, err := a.drain(ctx)
	if err == nil {
		err = a.leave(ctx, time.Now())
	}
	return errors.Join(a.report(cmd, left), err)
}

// look sees from afar whether anything is due. Where that cannot be seen, every incident is looked at.
func (a *advance) look(ctx context.Context) error {
	if err := a.svc.reach(ctx); err != nil {
		return err
	}
	seen, err := a.svc.glance(ctx, time.Now(), time.Now().Add(a.flags.linger))
	if err != nil {
		a.svc.log.Warn("whether anything is due cannot be seen from afar; every incident is looked at", "error", err)
		return nil
	}
	a.seen = seen
	return nil
}

func (s *settings) checkAdvance() error {
	if s.signingKey == "" {
		return fmt.Errorf("--signing-key is needed: a key that is made for one run signs nothing that could be verified")
	}
	if _, err := os.Stat(s.signingKey); err != nil {
		return withHint(fmt.Errorf("read the signing key: %w", err), "the ledger's .pullbook/allowed_signers has to list its public half")
	}
	s.sweep, s.lease = time.Minute, advanceLease
	return s.check()
}

// arrival is the alert that the run begins with, if there is one.
func (a *advance) arrival(stdin io.Reader) (*engine.Arrival, error) {
	f := a.flags
	if f.event != "" {
		if f.alert != "" || f.runbook != "" || len(f.inputs) > 0 {
			return nil, usageError{errors.New("--event brings its own alert, runbook and inputs")}
		}
		if f.eventName != repositoryDispatch {
			return nil, nil
		}
		out, err := dispatched(f.event)
		a.ordered = out != nil
		return out, err
	}
	if f.alert == "" && f.runbook == "" {
		if len(f.inputs) > 0 {
			return nil, usageError{errors.New("--input needs --runbook")}
		}
		return nil, nil
	}
	out := engine.Arrival{Runbook: f.runbook}
	var text []byte
	var err error
	if f.alert != "" {
		if text, err = readAlert(stdin, f.alert); err != nil {
			return nil, err
		}
	}
	if out.Alert, err = orderedAlert(text); err != nil {
		return nil, fmt.Errorf("%s: %w", f.alert, err)
	}
	if out.Inputs, err = inputsOf(f.inputs); err != nil {
		return nil, err
	}
	return &out, nil
}

// put stores what the run begins with.
func (a *advance) put(ctx context.Context, arrival *engine.Arrival) error {
	if arrival != nil {
		if wrong := a.svc.wrongInputs(ctx, *arrival); wrong != "" {
			return errors.New(wrong)
		}
		if err := a.svc.putAlert(ctx, *arrival); err != nil {
			return fmt.Errorf("keep the alert: %w", err)
		}
	}
	messages, err := a.wanted()
	for _, m := range messages {
		err = errors.Join(err, a.svc.inbox.Put(ctx, m))
	}
	return err
}

// branch is that of the incident that was asked for, if one was.
func (f advanceFlags) branch() (string, error) {
	if f.incident == "" || strings.HasPrefix(f.incident, incident.BranchPrefix) {
		return f.incident, nil
	}
	id, err := incident.ParseID(f.incident)
	if err != nil {
		return "", usageError{fmt.Errorf("--incident: %w", err)}
	}
	return id.Branch(), nil
}

// wanted are the wake-ups that the run begins with: the one that was asked for, or what does not rest.
func (a *advance) wanted() ([]inbox.Message, error) {
	if branch, err := a.flags.branch(); err != nil || branch != "" {
		return []inbox.Message{{Kind: engine.KindHub, Key: branch}}, err
	}
	if a.seen == nil {
		return []inbox.Message{{Kind: engine.KindSweep, Key: "ledger"}}, nil
	}
	var out []inbox.Message
	kept, err := a.svc.bookmarks().Marks()
	if err != nil {
		return nil, err
	}
	for _, e := range a.seen.gone { // so that the engine misses it
		if err := a.svc.bookmarks().Mark(e.Branch, kept[e.Branch], e.Head); err != nil {
			return nil, err
		}
	}
	for _, branch := range a.seen.awake {
		out = append(out, inbox.Message{Kind: engine.KindHub, Key: branch})
	}
	if a.seen.vet {
		out = append(out, inbox.Message{Kind: engine.KindProposals, Key: engine.KindProposals})
	}
	return out, nil
}

// observe takes note of what has reached the remote branch.
func (a *advance) observe(id incident.ID, events []incident.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range events {
		a.deeds = append(a.deeds, deed{id, render.Progress(e)})
	}
}

// Handle and RunStep let the inbox call the engine, and count what fails.
func (a *advance) Handle(ctx context.Context, m inbox.Message) error {
	err := a.svc.events().Handle(ctx, m)
	key := m.Kind + " " + m.Key
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.failed, key)
		delete(a.tries, key)
		return nil
	}
	a.failed[key] = err
	a.tries[key]++
	return err
}

func (a *advance) RunStep(ctx context.Context, s inbox.Step) (json.RawMessage, error) {
	return inboxHandler{a.svc.engine, a.svc.askAlertmanager}.RunStep(ctx, s)
}

// drain works until nothing is left that could be done now.
func (a *advance) drain(ctx context.Context) (inbox.Standing, error) {
	work, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- a.svc.inbox.Run(work, a) }()
	go func() { ended <- a.svc.tenure.Keep(work) }()
	left, err := a.await(ctx, ended)
	stop()
	return left, errors.Join(err, <-ended, <-ended)
}

// await looks again and again at what is left. ended tells when the work has stopped by itself.
func (a *advance) await(ctx context.Context, ended chan error) (left inbox.Standing, err error) {
	tick := time.NewTicker(settling)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- nil
			return left, errors.Join(err, ctx.Err())
		case <-ctx.Done():
			return left, withHint(fmt.Errorf("not everything was done within %s", a.flags.within), "the next run goes on; --within takes more time")
		case <-tick.C:
		}
		if left, err = a.svc.inbox.Standing(ctx); err != nil && ctx.Err() == nil {
			return left, err
		}
		soon := left.Timers > 0 && time.Until(left.Next) <= a.flags.linger
		if left.Messages+left.Steps == 0 && !soon && (left.Failing == 0 || a.hopeless()) {
			return left, nil
		}
	}
}

// hopeless reports whether everything that fails has failed often enough.
func (a *advance) hopeless() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.tries {
		if n < attempts {
			return false
		}
	}
	return true
}

// summary is what was done and what is open, with the incidents that rested as they stood when they were looked at last.
func (a *advance) summary(left inbox.Standing) summary {
	s := summary{Done: a.deeds, Next: left.Next}
	resting, next := a.seen.standings()
	if s.Next.IsZero() || !next.IsZero() && next.Before(s.Next) {
		s.Next = next
	}
	if a.svc.engine != nil {
		s.Open = a.svc.engine.Standings()
	}
	for _, r := range resting {
		if !slices.ContainsFunc(s.Open, func(o engine.Standing) bool { return o.ID == r.ID }) {
			s.Open = append(s.Open, r)
		}
	}
	slices.SortFunc(s.Open, func(a, b engine.Standing) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

// report says what was done and what is left.
func (a *advance) report(cmd *cobra.Command, left inbox.Standing) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.summary(left)
	var failures []error
	for key, err := range a.failed {
		s.Failed = append(s.Failed, key+": "+err.Error())
		failures = append(failures, fmt.Errorf("%s: %w", key, err))
	}
	if a.flags.summary != "" {
		failures = append(failures, appendSummary(a.flags.summary, s.markdown()))
	}
	if a.flags.outputs != "" {
		failures = append(failures, appendOutputs(a.flags.outputs, s))
	}
	if a.flags.json {
		return errors.Join(append(failures, json.NewEncoder(cmd.OutOrStdout()).Encode(s))...)
	}
	fmt.Fprint(cmd.OutOrStdout(), s.text())
	return errors.Join(failures...)
}
