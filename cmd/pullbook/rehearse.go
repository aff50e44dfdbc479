package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/codeowners"
	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

type rehearseFlags struct {
	plan    planFlags
	demo    demoFlags
	noReads bool
}

func rehearseCommand() *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{
		Use:   "rehearse <runbook>",
		Short: "Play a runbook as a game day: with people, and without effect",
		Long: `Rehearse starts a GitHub on localhost with a copy of the ledger, opens the incident
there, and prints the address of its pull request. Gates open and people approve in the
browser, as on the day. Nothing is changed and nobody is told: what would change something,
notices and tickets among it, is recorded as what would run, down to the command. Plans of
Terraform, check runs of Ansible and the rehearse commands of exec run for real. So do
steps that only read, unless --no-reads says otherwise; a step whose output is given by
--output is not run. Waits are over at once, and probes ask once. A runbook that a step
opens is a rehearsal too; the outputs of its steps are given as step/step.

What rests on an output that nobody gave is not known, and is skipped. The people are
those whom pullbook.cue and the runbook name, and as many more as its rules need; they are
in all teams. Without --alert one is made up that the runbook's match takes: what it does not
demand, such as other labels, is not in it.

With --unattended simulated people do your part. Exit status: 0 if the incident ended as
resolved and its history was verified, 1 if not.`,
		Example: `  pullbook rehearse service_down --alert alert.json
  pullbook rehearse service_down --alert alert.json --no-reads --output look=look.json --unattended`,
		Args: takes("<runbook>"),
		RunE: func(cmd *cobra.Command, args []string) error { return runRehearse(cmd, args[0], f) },

		ValidArgsFunction: completeRunbook,
	}
	cmd.Flags().StringVar(&f.plan.alert, "alert", "", "file with a generic alert (JSON), - for standard input; without it one is made up from the runbook's match, or the incident is opened by hand")
	cmd.Flags().StringArrayVar(&f.plan.outputs, "output", nil, "what a step puts out, as step=file with JSON, or of a runbook that a step opens step/step=file; can be given many times")
	cmd.Flags().StringArrayVar(&f.plan.inputs, "input", nil, "value of an input of the runbook, as name=value; can be given many times")
	cmd.Flags().StringVar(&f.plan.ledger, "ledger", ".", "directory of the ledger that holds the runbook")
	cmd.Flags().BoolVar(&f.noReads, "no-reads", false, "do not run steps that only read either")
	cmd.Flags().BoolVar(&f.demo.unattended, "unattended", false, "let simulated people approve and answer")
	cmd.Flags().StringVar(&f.demo.dir, "dir", "", "keep everything in this directory (default: a new temporary one)")
	cmd.Flags().StringVar(&f.demo.listen, "listen", "127.0.0.1:0", "address of the local hub")
	cmd.Flags().BoolVarP(&f.demo.verbose, "verbose", "v", false, "show the engine's log")
	completes(cmd, "output", completeOutput)
	return cmd
}

// gameDay is what is rehearsed.
type gameDay struct {
	root    string // of the ledger
	plan    runbook.Plan
	arrival engine.Arrival
	game    incident.Rehearsal
	cast    cast
}

func runRehearse(cmd *cobra.Command, called string, f rehearseFlags) error {
	s, err := f.gameDay(cmd, called)
	if err != nil {
		return err
	}
	if f.plan.alert == "" {
		fmt.Fprint(cmd.ErrOrStderr(), lacksAlert(s.plan))
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	g := &game{gameDay: s, show: &show{flags: f.demo, out: cmd.ErrOrStderr()}, seen: make(chan beat, 1024),
		logs: map[incident.ID][]incident.Event{}}
	if err := g.show.prepareDir(); err != nil {
		return err
	}
	g.say("everything is kept in %s", g.flags.dir)
	stopped, err := g.start(ctx)
	if err != nil {
		return err
	}
	defer func() { cancel(); <-stopped; g.svc.close(); g.world.close() }()
	if err := g.svc.putAlert(ctx, s.arrival); err != nil {
		return fmt.Errorf("open the incident: %w", err)
	}
	if err := g.follow(ctx); err != nil {
		return err
	}
	end, err := g.conclude(ctx, cmd.OutOrStdout())
	if err == nil && !f.demo.unattended {
		g.say("the hub stays up for you to look around; end with Ctrl-C")
		<-ctx.Done()
	}
	if err == nil && end != incident.EndResolved {
		err = withHint(fmt.Errorf("the rehearsal has ended as %s", end), "with --no-reads nothing is asked of the world, and --output step=file says what it answers")
	}
	return err
}

// gameDay reads the runbook and what is given to it, and finds who takes part.
func (f rehearseFlags) gameDay(cmd *cobra.Command, called string) (gameDay, error) {
	q, err := f.plan.question(cmd.InOrStdin())
	if err != nil {
		return gameDay{}, err
	}
	src, shelf, err := sourceOf(f.plan.ledger, called)
	if err != nil {
		return gameDay{}, err
	}
	eval, err := evaluator()
	if err != nil {
		return gameDay{}, err
	}
	defer eval.Close()
	src.Inputs = q.Source.Inputs
	plan, problems, err := shelf.load(cmd.Context(), eval, src)
	if err != nil {
		return gameDay{}, err
	}
	if err := mistakes(cmd.OutOrStdout(), problems); err != nil {
		return gameDay{}, err
	}
	known, err := lookUp(cmd.Context(), eval, shelf, src.Runbook)
	if err != nil {
		return gameDay{}, err
	}
	if alert, ok := known.alert(); ok && f.plan.alert == "" {
		if q.Alert, err = json.Marshal(alert); err != nil {
			return gameDay{}, fmt.Errorf("write the alert: %w", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: the alert is made up from the runbook's match: %s\n", q.Alert)
	}
	ofChildren := takeOfChildren(q.Ended)
	if err := checkOutputs(cmd.Context(), eval, &q, src.Of(plan), plan); err != nil {
		return gameDay{}, err
	}
	s := gameDay{root: shelf.root, arrival: engine.Arrival{Runbook: src.Runbook, Inputs: q.Source.Inputs}, game: incident.Rehearsal{NoReads: f.noReads, Outputs: map[string]json.RawMessage{}}}
	if err := json.Unmarshal(q.Alert, &s.arrival.Alert); err != nil {
		return s, fmt.Errorf("read back the alert: %w", err)
	}
	if err := s.take(q.Ended, plan); err != nil {
		return s, err
	}
	if s.plan, err = eval.Forecast(cmd.Context(), q); err != nil {
		return s, err
	}
	plans, err := withChildren(cmd.Context(), eval, shelf, plan)
	if err != nil {
		return s, err
	}
	if err := s.give(ofChildren, plans); err != nil {
		return s, err
	}
	owners, err := ownersIn(shelf.root)
	for i := range plans {
		plans[i].OwnCode(owners.Of) // what is wrong there the incident says
	}
	s.cast = castOf(plans, known.people)
	return s, err
}

// takeOfChildren takes out what was given for the steps of children: their names are paths.
func takeOfChildren(given map[string]runbook.Ended) map[string]json.RawMessage {
	taken := map[string]json.RawMessage{}
	for name, end := range given {
		if strings.Contains(name, "/") {
			taken[name] = end.Output
			delete(given, name)
		}
	}
	return taken
}

// take adds the outputs of the runbook's own steps.
func (s *gameDay) take(given map[string]runbook.Ended, plan runbook.Plan) error {
	for name, end := range given {
		if step, _ := plan.Step(name); !step.Kind.NeedsRunner() || step.Each {
			return withHint(fmt.Errorf("--output %s: the step is not run by itself", name), "give what a person, an incident or the elements put out as they do")
		}
		s.game.Outputs[name] = end.Output
	}
	return nil
}

// give adds the outputs of the steps of children, by their paths from the runbook that is rehearsed. Whether they fit is found
// out where they are put out: that may rest on the inputs of the child.
func (s *gameDay) give(outputs map[string]json.RawMessage, plans []runbook.Plan) error {
	for path, output := range outputs {
		plan, rest := plans[0], path
		for {
			name, below, more := strings.Cut(rest, "/")
			template, _, _ := runbook.SplitName(name)
			step, ok := plan.Step(template)
			i := slices.IndexFunc(plans, func(p runbook.Plan) bool { return p.Name == step.Runbook })
			switch {
			case more && (!ok || i < 0):
				return withHint(fmt.Errorf("--output %s: runbook %s has no step %s that opens another one", path, plan.Name, name), "pullbook graph shows the steps")
			case !more && (!ok || !step.HasOutput || !step.Kind.NeedsRunner() || step.Each):
				return withHint(fmt.Errorf("--output %s: runbook %s has no step %s that is run by itself and puts something out", path, plan.Name, name), "pullbook graph shows the steps")
			}
			if !more {
				break
			}
			plan, rest = plans[i], below
		}
		if !json.Valid(output) {
			return fmt.Errorf("--output %s: the file is not JSON", path)
		}
		s.game.Outputs[path] = output
	}
	return nil
}

// ownersIn reads the CODEOWNERS of a ledger on disk; one that has none names nobody.
func ownersIn(root string) (codeowners.File, error) {
	for _, place := range codeowners.Places() {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(place)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return codeowners.File{}, fmt.Errorf("read who owns the ledger: %w", err)
		}
		return codeowners.Parse(text), nil
	}
	return codeowners.File{}, nil
}

// withChildren is a plan with those of all runbooks that it opens, as far as they can be loaded without their inputs.
func withChildren(ctx context.Context, eval *cueval.Evaluator, shelf *shelf, plan runbook.Plan) ([]runbook.Plan, error) {
	plans, known := []runbook.Plan{plan}, []string{plan.Name}
	for i := 0; i < len(plans); i++ {
		for _, step := range plans[i].Steps {
			name, there := runbook.Find(shelf.files, step.Runbook)
			if step.Runbook == "" || !there || slices.Contains(known, step.Runbook) {
				continue
			}
			known = append(known, step.Runbook)
			child, _, err := shelf.load(ctx, eval, runbook.SourceOf(shelf.files, name))
			if err != nil {
				return nil, err
			}
			plans = append(plans, child)
		}
	}
	return plans, nil
}

// start brings up the hub and the engine. The channel closes when the engine has stopped.
func (g *game) start(ctx context.Context) (stopped chan struct{}, err error) {
	g.cast.directory = filepath.Join(g.flags.dir, "ledger")
	if err := copyLedger(g.root, g.cast.directory); err != nil {
		return nil, fmt.Errorf("copy the ledger: %w", err)
	}
	if g.world, err = newWorld(ctx, stage{dir: g.flags.dir, listen: g.flags.listen, cast: &g.cast}); err != nil {
		return nil, err
	}
	g.world.rehearsal = &g.game
	level := slog.LevelError
	if g.flags.verbose {
		level = slog.LevelDebug
	}
	g.svc, err = g.world.service(ctx, slog.New(slog.NewTextHandler(g.out, &slog.HandlerOptions{Level: level})), func(id incident.ID, events []incident.Event) {
		for _, e := range events {
			g.seen <- beat{id, e}
		}
	})
	if err != nil {
		g.world.close()
		return nil, err
	}
	stopped = make(chan struct{})
	go func() {
		defer close(stopped)
		if err := g.svc.run(ctx); err != nil && ctx.Err() == nil {
			g.say("the engine stopped: %v", err)
		}
	}()
	g.say("local hub    %s, with %d people", g.world.url, len(g.cast.people))
	return stopped, nil
}

// conclude waits for the merge, says what happened, and verifies what is left behind.
func (g *game) conclude(ctx context.Context, stdout io.Writer) (incident.End, error) {
	var end incident.End
	for _, id := range g.order {
		if err := g.world.waitMerged(ctx, id.Branch()); err != nil {
			return "", err
		}
		state, err := incident.Fold(g.logs[id])
		if err != nil {
			return "", fmt.Errorf("fold what was seen of %s: %w", id, err)
		}
		if id == g.slot {
			end = state.End
		}
		plan, err := g.world.frozenPlan(id)
		if err != nil {
			return "", err
		}
		if err := playbill(stdout, plan, state, g.logs[id]); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(stdout, "\nWhat is left behind: git -C %s log\n", g.world.bareRepo())
	return end, g.world.verify(stdout, g.out)
}
