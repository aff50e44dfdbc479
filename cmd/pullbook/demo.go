package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

type demoFlags struct {
	unattended bool
	dir        string
	listen     string
	calls      bool
	verbose    bool
}

func demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See one incident from alert to merge, on this machine alone",
		Long: `Demo starts a GitHub on localhost with a sample ledger, the engine, and a checkout
service whose latest release is bad. It sends an alert, prints the address of the
incident's pull request, and waits for you to approve the rollback there.

With --unattended simulated reviewers do your part through the hub's API; the exit
status is 0 only if the incident was merged and its history verified.`,
		Example: `  pullbook demo
  pullbook demo --unattended --dir /tmp/pullbook-demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, f) },
	}
	cmd.Flags().BoolVar(&f.unattended, "unattended", false, "let simulated reviewers approve")
	cmd.Flags().StringVar(&f.dir, "dir", "", "keep everything in this directory (default: a new temporary one)")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "address of the local hub")
	cmd.Flags().BoolVar(&f.calls, "calls", false, "list the hub calls and pushes of the incident")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the engine's log")
	return cmd
}

// show is one run of the demonstration.
type show struct {
	flags  demoFlags
	out    io.Writer // for people
	world  *world
	svc    *service
	toy    *toy
	events chan incident.Event
	log    []incident.Event
	slot   incident.ID
}

func runDemo(cmd *cobra.Command, f demoFlags) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	d := &show{flags: f, out: cmd.ErrOrStderr(), events: make(chan incident.Event, 1024)}
	if err := d.prepareDir(); err != nil {
		return err
	}
	d.say("everything is kept in %s", d.flags.dir)
	stopped, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer func() { cancel(); <-stopped; d.svc.close(); d.world.close() }()
	if err := d.sendAlert(ctx); err != nil {
		return err
	}
	if err := d.follow(ctx); err != nil {
		return err
	}
	if err := d.conclude(ctx, cmd.OutOrStdout()); err != nil {
		return err
	}
	if !f.unattended {
		d.say("the hub stays up for you to look around; end with Ctrl-C")
		<-ctx.Done()
	}
	return nil
}

func (d *show) say(format string, args ...any) {
	fmt.Fprintf(d.out, "pullbook: "+format+"\n", args...)
}

func (d *show) prepareDir() (err error) {
	if d.flags.dir == "" {
		d.flags.dir, err = os.MkdirTemp("", "pullbook-demo-")
		return err
	}
	if d.flags.dir, err = filepath.Abs(d.flags.dir); err != nil {
		return err
	}
	if entries, err := os.ReadDir(d.flags.dir); err == nil && len(entries) > 0 {
		return withHint(fmt.Errorf("%s is not empty", d.flags.dir), "name a new directory; a demonstration begins with an empty one")
	}
	return os.MkdirAll(d.flags.dir, 0o700)
}

// start brings up the service, the hub and the engine. The channel closes when the engine has stopped.
func (d *show) start(ctx context.Context) (stopped chan struct{}, err error) {
	if d.toy, err = startToy(ctx); err != nil {
		return nil, err
	}
	if d.world, err = newWorld(ctx, stage{dir: d.flags.dir, listen: d.flags.listen}); err != nil {
		return nil, err
	}
	level := slog.LevelError
	if d.flags.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(d.out, &slog.HandlerOptions{Level: level}))
	d.svc, err = d.world.service(ctx, log, func(id incident.ID, events []incident.Event) {
		for _, e := range events {
			d.events <- e
		}
	})
	if err != nil {
		d.world.close()
		return nil, err
	}
	stopped = make(chan struct{})
	go func() {
		defer close(stopped)
		if err := d.svc.run(ctx); err != nil && ctx.Err() == nil {
			d.say("the engine stopped: %v", err)
		}
	}()
	d.say("local hub    %s", d.world.url)
	d.say("engine       http://%s", d.svc.listener.Addr())
	d.say("checkout     %s (release %s, answers 500)", d.toy.url, badRelease)
	return stopped, nil
}

// sendAlert posts what Alertmanager would post.
func (d *show) sendAlert(ctx context.Context) error {
	now := time.Now().UTC().Add(-2 * time.Second).Truncate(time.Millisecond)
	labels := map[string]string{"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"}
	annotations := map[string]string{"summary": "checkout answers with errors", "base_url": d.toy.url}
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": `{}:{alertname="CheckoutErrors"}`, "truncatedAlerts": 0, "status": "firing", "receiver": "pullbook",
		"groupLabels": map[string]string{"alertname": "CheckoutErrors"}, "commonLabels": labels, "commonAnnotations": annotations,
		"externalURL": "http://alertmanager.localhost",
		"alerts": []any{map[string]any{"status": "firing", "labels": labels, "annotations": annotations, "startsAt": now,
			"endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.localhost/graph", "fingerprint": "b1946ac92492d234"}},
	})
	if err != nil {
		return fmt.Errorf("encode the alert: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.svc.listener.Addr().String()+"/alerts/alertmanager", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("send the alert: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the engine answered the alert with %s", resp.Status)
	}
	d.say("alert CheckoutErrors sent")
	return nil
}

// patience bounds how long an unattended demonstration may take.
const patience = 60 * time.Second

// follow prints what happens until the incident has ended, and plays the reviewers where nobody else does.
func (d *show) follow(ctx context.Context) error {
	if d.flags.unattended {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the incident has not ended: %w", ctx.Err())
		case e := <-d.events:
			d.log = append(d.log, e)
			fmt.Fprintf(d.out, "  %s\n", render.Progress(e))
			done, err := d.react(ctx, e)
			if done || err != nil {
				return err
			}
		}
	}
}

// react tells the person what to do, or does it.
func (d *show) react(ctx context.Context, e incident.Event) (done bool, err error) {
	switch data := e.Data.(type) {
	case incident.Opened:
		d.slot = data.ID
	case incident.GateOpened:
		return false, d.approve(ctx, data.Step)
	case incident.StepStarted:
		if data.Work == runbook.KindManual {
			return false, d.finishByHand(ctx, data.Step)
		}
	case incident.Ended:
		return true, nil
	}
	return false, nil
}

func (d *show) approve(ctx context.Context, step string) error {
	number, err := d.world.pull(ctx, d.slot.Branch())
	if err != nil {
		return err
	}
	if d.flags.unattended {
		asked := func(p *github.PullRequest) bool { return len(p.RequestedReviewers)+len(p.RequestedTeams) > 0 }
		if _, err := d.world.waitPull(ctx, d.slot.Branch(), asked); err != nil {
			return err
		}
		return d.world.review(ctx, "alice", number, "/approve "+step)
	}
	d.say("a gate is open. Look at it and approve as alice or bob:")
	d.say("  %s", d.world.pullURL(number))
	return nil
}

func (d *show) finishByHand(ctx context.Context, step string) error {
	number, err := d.world.pull(ctx, d.slot.Branch())
	if err != nil {
		return err
	}
	if d.flags.unattended {
		return d.world.comment(ctx, "bob", number, "/done "+step)
	}
	d.say("a manual step is asked for. When it is done, comment \"/done %s\":", step)
	d.say("  %s", d.world.pullURL(number))
	return nil
}

// conclude waits for the merge, prints the numbers and verifies what is left behind.
func (d *show) conclude(ctx context.Context, stdout io.Writer) error {
	if err := d.world.waitMerged(ctx, d.slot.Branch()); err != nil {
		return err
	}
	state, err := incident.Fold(d.log)
	if err != nil {
		return fmt.Errorf("fold what was seen: %w", err)
	}
	plan, err := d.world.frozenPlan(d.slot)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\n", render.Measure(plan, state, d.log))
	if d.flags.calls {
		fmt.Fprintf(stdout, "\n%s", d.world.count.lines(func(string) bool { return true }))
	}
	repo := d.world.bareRepo()
	signers := filepath.Join(d.flags.dir, "allowed_signers")
	fmt.Fprintf(stdout, `
Look at what is left behind:

  git -C %[1]s show main:.pullbook/allowed_signers > %[2]s
  git -C %[1]s -c gpg.ssh.allowedSignersFile=%[2]s log --show-signature --stat main
  git -C %[1]s log --first-parent --oneline main
  pullbook audit verify %[1]s --trust %[3]s

`, repo, signers, d.world.fingerprint)
	return d.world.verify(stdout, d.out)
}

// verify checks what is left behind, as anybody can who has a clone and the key.
func (w *world) verify(stdout, stderr io.Writer) error {
	var b strings.Builder
	root := auditCommand()
	root.SetArgs([]string{"verify", w.bareRepo(), "--trust", w.fingerprint})
	root.SetOut(&b)
	root.SetErr(stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	err := root.Execute()
	fmt.Fprint(stdout, b.String())
	if err != nil {
		return errors.Join(errors.New("the history does not verify"), err)
	}
	return nil
}
