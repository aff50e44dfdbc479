package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// gamePatience bounds how long an unattended rehearsal may take: what reads may wait for the world.
const gamePatience = 15 * time.Minute

// game is one run of a rehearsal.
type game struct {
	*show
	gameDay
	seen  chan beat
	logs  map[incident.ID][]incident.Event
	order []incident.ID // as they were opened
}

// beat is one event of one incident.
type beat struct {
	id    incident.ID
	event incident.Event
}

// follow prints what happens until the incident has ended, and plays the people where nobody else does.
func (g *game) follow(ctx context.Context) error {
	if g.flags.unattended {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, gamePatience)
		defer cancel()
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the incident has not ended: %w", ctx.Err())
		case s := <-g.seen:
			if opened, ok := s.event.Data.(incident.Opened); ok {
				g.order = append(g.order, s.id)
				if opened.Parent == nil {
					g.slot = s.id
				}
			}
			g.logs[s.id] = append(g.logs[s.id], s.event)
			fmt.Fprintf(g.out, "  %s\n", render.Progress(s.event))
			if _, over := s.event.Data.(incident.Ended); over && s.id == g.slot {
				return nil
			}
			if err := g.react(ctx, s); err != nil {
				return err
			}
		}
	}
}

// react tells the person what to do, or does it.
func (g *game) react(ctx context.Context, s beat) error {
	switch d := s.event.Data.(type) {
	case incident.GateOpened:
		return g.approve(ctx, s.id, d)
	case incident.StepStarted:
		if d.Work.AsksPeople() {
			return g.answer(ctx, s.id, d)
		}
	case incident.StepEnded:
		if d.Conclusion != runbook.Succeeded {
			return g.giveUp(ctx, s.id, d.Step)
		}
	case incident.StepBroken:
		return g.giveUp(ctx, s.id, d.Step)
	}
	return nil
}

func (g *game) approve(ctx context.Context, id incident.ID, d incident.GateOpened) error {
	number, err := g.world.pull(ctx, id.Branch())
	if err != nil {
		return err
	}
	if !g.flags.unattended {
		g.say("a gate is open: %s. Look at it and approve as one of %s:", d.Rule.String(), strings.Join(g.cast.people, ", "))
		g.say("  %s", g.world.pullURL(number))
		return nil
	}
	players, n := g.cast.players(), 0
	for !approval.Met(d.Rule, players[:n]) {
		if n == len(players) {
			return fmt.Errorf("the gate of %s asks for %s, and the people of this rehearsal do not meet that", d.Step, d.Rule.String())
		}
		n++
	}
	for _, p := range players[:n] {
		if !approval.Named(p, d.Rule.People()) {
			continue
		}
		if err := g.world.review(ctx, p.Login, number, "/approve "+d.Step); err != nil {
			return err
		}
	}
	return nil
}

// answer does what a person is asked to do, or to choose: the first option. The last of the people does, since nobody approves
// what rests on their word.
func (g *game) answer(ctx context.Context, id incident.ID, d incident.StepStarted) error {
	number, err := g.world.pull(ctx, id.Branch())
	if err != nil {
		return err
	}
	plan, err := g.planOf(id)
	if err != nil {
		return err
	}
	said, step := "/done "+d.Step, runbook.Step{}
	if written, _, ok := plan.Written(d.Step); ok {
		step = written
	}
	if d.Work == runbook.KindChoose {
		said = "/choose " + d.Step + " "
		if question := step.Now.Work.Choose; question != nil {
			said += question.Options[0].Name
		}
	}
	switch {
	case !g.flags.unattended:
		g.say("a person is asked. Answer with a comment such as %q:", said)
		g.say("  %s", g.world.pullURL(number))
		return nil
	case strings.HasSuffix(said, " ") || d.Work == runbook.KindManual && step.HasOutput:
		return withHint(fmt.Errorf("simulated people do not know what to answer to %s", d.Step), "rehearse it without --unattended")
	}
	return g.world.comment(ctx, g.speaker(plan), number, said)
}

// planOf is the plan of one incident; that of the first is worked out as far as it is known beforehand.
func (g *game) planOf(id incident.ID) (runbook.Plan, error) {
	if id == g.slot {
		return g.plan, nil
	}
	return g.world.frozenPlan(id)
}

// speaker is the last of the people who may command.
func (g *game) speaker(plan runbook.Plan) string {
	for _, p := range slices.Backward(g.cast.players()) {
		if len(plan.Command) == 0 || approval.Named(p, plan.Command) {
			return p.Login
		}
	}
	return g.cast.people[len(g.cast.people)-1]
}

// giveUp ends an incident that nothing goes on in, where nobody watches.
func (g *game) giveUp(ctx context.Context, id incident.ID, name string) error {
	if !g.flags.unattended {
		return nil
	}
	plan, err := g.planOf(id)
	if err != nil {
		return err
	}
	state, err := incident.Fold(g.logs[id])
	if err != nil {
		return fmt.Errorf("fold what was seen: %w", err)
	}
	step, _, ok := plan.Written(name)
	if !ok || step.OnFailure != runbook.FailureHalts || !state.RetryAt(step).IsZero() || state.Step(name).Good() {
		return nil
	}
	number, err := g.world.pull(ctx, id.Branch())
	if err != nil {
		return err
	}
	return g.world.comment(ctx, g.speaker(plan), number, "/cancel "+name+" did not succeed in the rehearsal")
}

// playbill says of one incident what ran, what would have run, who was asked, and how long it took.
func playbill(out io.Writer, plan runbook.Plan, s incident.State, events []incident.Event) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nRehearsal of %s: %s\n\n", s.Opened.Runbook, s.End)
	for _, part := range []struct {
		name string
		of   func(runbook.Step, incident.StepState) bool
	}{
		{"ran", func(step runbook.Step, st incident.StepState) bool {
			return st.Phase == incident.PhaseEnded && !st.WouldRun && step.Kind.NeedsRunner() && !step.Each
		}},
		{"would run", func(_ runbook.Step, st incident.StepState) bool { return st.WouldRun }},
		{"were people's", func(step runbook.Step, st incident.StepState) bool { return st.Over() && step.Kind.AsksPeople() }},
		{"opened a runbook", func(step runbook.Step, st incident.StepState) bool { return st.Child != "" }},
		{"were skipped", func(_ runbook.Step, st incident.StepState) bool { return st.Phase == incident.PhaseSkipped }},
	} {
		var names []string
		for _, step := range s.Expand(plan).Steps {
			if part.of(step, s.Step(step.Name)) {
				names = append(names, step.Name)
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "%-20s %s\n", part.name, strings.Join(names, ", "))
		}
	}
	for _, e := range events {
		if d, ok := e.Data.(incident.GateApproved); ok {
			var who []string
			for _, v := range d.Votes {
				who = append(who, v.By.Login)
			}
			slices.Sort(who)
			fmt.Fprintf(&b, "%-20s %s: %s\n", "approved", d.Step, strings.Join(who, ", "))
		}
	}
	fmt.Fprintf(&b, "\n%s", render.Measure(plan, s, events))
	_, err := io.WriteString(out, b.String())
	return err
}
