package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// mostRounds bounds how often the core looks because of one block.
const mostRounds = 1000

// stage is the world of one case: what the engine would have in git and on the hub, kept in memory.
type stage struct {
	eval    Eval
	source  runbook.Source
	ledger  map[string][]byte // all files, for the runbooks that steps open
	known   runbook.Plan      // of the source without inputs
	frozen  runbook.Plan      // as the incident was opened with
	alert   json.RawMessage   // of the opening
	plan    runbook.Plan      // as resolved last
	state   incident.State
	view    incident.View
	now     time.Time
	due     time.Time // of what the latest look waits for; zero: for nothing that time brings
	people  map[string]approval.Person
	owners  []string // of all code
	wrote   map[string]runbook.Authorship
	given   map[string]ending // how steps end as soon as they have begun
	begun   bool
	moving  time.Time // since when the block lets time pass; zero: it does not
	said    []string  // of the block so far
	shown   string    // the latest rollup that was told
	awaited string    // the locks that were told last
	ids     int64     // of reviews and comments, counted
}

// opening is how an incident begins.
type opening struct {
	alert  incident.Alert
	why    string
	inputs json.RawMessage
}

// open begins the incident.
func (s *stage) open(ctx context.Context, o opening) error {
	plan, err := s.load(ctx, o.inputs)
	if err != nil {
		return err
	}
	s.frozen, s.source = plan, s.source.Of(plan)
	if s.alert, err = json.Marshal(o.alert); err != nil {
		return fmt.Errorf("write the alert: %w", err)
	}
	opened := incident.Opened{ID: incident.NewID(incident.Slot(o.alert.Group, ""), s.now), Group: o.alert.Group, Alert: o.alert, Runbook: s.source.Runbook,
		Why: o.why, Commit: "base", Plan: "plan", Inputs: s.source.Inputs}
	var empty incident.State
	events := empty.Next([]incident.Data{opened}, s.now)
	if s.state, err = incident.Fold(events); err != nil {
		return err
	}
	s.begun = true
	s.view = incident.View{Checks: map[string]bool{}, Locks: s.view.Locks, Children: map[string]incident.Child{},
		Branch: incident.Branch{Head: "c1", Commits: map[string]int{"c1": 1}, Pushed: 1}}
	s.tell(events)
	s.plan, err = s.resolve(ctx, nil)
	return err
}

// resolve is the plan now. In a story the same people own all code.
func (s *stage) resolve(ctx context.Context, ended map[string]runbook.Ended) (runbook.Plan, error) {
	plan, err := s.eval.Resolve(ctx, s.query(ended))
	if err != nil || len(s.owners) == 0 {
		return plan, err
	}
	plan.Steps = slices.Clone(plan.Steps)
	if problems := plan.OwnCode(func(string) []string { return s.owners }); len(problems) > 0 {
		return plan, fmt.Errorf("%s cannot be used: %s", s.source.Runbook, problems[0])
	}
	return plan, nil
}

// load is the plan of an opening with these inputs. That of a runbook without inputs is known.
func (s *stage) load(ctx context.Context, inputs json.RawMessage) (runbook.Plan, error) {
	if len(inputs) == 0 && len(s.known.Inputs) == 0 {
		s.source.Inputs = json.RawMessage("{}")
		return s.known, nil
	}
	s.source.Inputs = inputs
	if len(inputs) == 0 {
		s.source.Inputs = json.RawMessage("{}") // from now on what is not given is missing
	}
	plan, problems, err := s.eval.Load(ctx, s.source)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s cannot be used: %s", s.source.Runbook, problems[0])
	}
	return plan, err
}

func (s *stage) query(ended map[string]runbook.Ended) runbook.Query {
	return runbook.Query{Source: s.source, Alert: s.alert, Ended: ended, Frozen: &s.frozen}
}

// look decides and performs until nothing is due, as the engine does.
func (s *stage) look(ctx context.Context) error {
	for range mostRounds {
		var err error
		if s.plan, err = s.resolve(ctx, s.state.Ended(s.plan)); err != nil {
			return err
		}
		s.view.Pins = pinsOf(s.plan)
		s.view.Authors = map[string]runbook.Authorship{}
		for _, step := range s.plan.Steps {
			s.view.Authors[step.Name] = s.wrote[step.Name]
		}
		if err := s.hear(ctx); err != nil {
			return err
		}
		s.due = time.Time{}
		again, err := s.perform(ctx, incident.Decide(s.plan, s.state, s.view, s.now))
		if err != nil {
			return err
		}
		s.view.Alerts = nil
		ended, err := s.endGiven(ctx)
		if err != nil {
			return err
		}
		if !again && !ended {
			return nil
		}
	}
	return fmt.Errorf("the engine still had something to do after %d looks", mostRounds)
}

func (s *stage) perform(ctx context.Context, actions []incident.Action) (again bool, err error) {
	for _, action := range actions {
		more, err := s.do(ctx, action)
		if err != nil {
			return true, err
		}
		again = again || more
	}
	return again, nil
}

func (s *stage) do(ctx context.Context, action incident.Action) (again bool, err error) {
	switch a := action.(type) {
	case incident.Commit:
		return true, s.commit(a)
	case incident.Flush:
		s.flush()
		return true, nil
	case incident.Start:
		s.tellStart(a)
		s.view.Attempts = append(s.view.Attempts, incident.Attempt{Key: a.Key, Step: a.Step, Number: a.Attempt, State: incident.AttemptRunning})
	case incident.Stop:
		for i, attempt := range s.view.Attempts {
			if attempt.Key == a.Key && attempt.State == incident.AttemptRunning {
				s.end(i, ending{conclusion: runbook.Cancelled})
			}
		}
		return true, nil
	case incident.OpenChild:
		return s.openChild(ctx, a)
	case incident.TellChild:
		return s.recallChild(a.Incident), nil
	case incident.WakeAt:
		s.due = a.At
	default:
		return s.show(action), nil
	}
	return false, nil
}

func (s *stage) commit(c incident.Commit) error {
	events := s.state.Next(c.Events, c.At)
	for i := range events {
		var err error
		if events[i], err = journal.Normal(events[i]); err != nil {
			return err
		}
	}
	next, err := s.state.With(events...)
	if err != nil {
		return err
	}
	s.state = next
	s.view.Branch.Head = fmt.Sprintf("c%d", next.Seq)
	s.view.Branch.Commits[s.view.Branch.Head] = next.Seq
	s.tell(events)
	return nil
}

// flush brings everything to the remote branch. Nothing can happen between a decision and its push, so there is nothing to
// confirm.
func (s *stage) flush() {
	s.view.Branch.Pushed = s.state.Seq
	if s.view.Pull != nil {
		s.view.Pull.Head = s.view.Branch.Head
	}
}

// show performs what only people see.
func (s *stage) show(action incident.Action) (again bool) {
	switch a := action.(type) {
	case incident.OpenPull:
		s.view.Pull = &incident.Pull{Number: 1, URL: "http://hub/acme/ops/pull/1", Open: true, Head: s.view.Branch.Head}
		return true
	case incident.Merge:
		s.view.Pull.Merged, s.view.Pull.Open = true, false
		return false
	case incident.PublishCheck:
		s.view.Checks[a.ExternalID] = true
	case incident.PublishRollup:
		s.view.Checks[a.ExternalID] = true
		s.tellRollup(a)
	case incident.RequestReview:
		s.view.Pull.Asked = append(s.view.Pull.Asked, a.From...)
		s.line("asks for a review of " + a.Step + ": " + strings.Join(a.From, ", "))
	case incident.WithdrawReviews:
		s.view.Pull.Asked = slices.DeleteFunc(s.view.Pull.Asked, func(who string) bool { return slices.Contains(a.From, who) })
	case incident.React:
		for i := range s.view.Comments {
			s.view.Comments[i].Seen = s.view.Comments[i].Seen || s.view.Comments[i].ID == a.Comment
		}
	case incident.Reply:
		s.view.Comments = append(s.view.Comments, incident.Comment{ID: s.next(), Own: true, Body: incident.MarkReply(a.Key, a.Text)})
		first, _, _ := strings.Cut(a.Text, "\n")
		s.line("replies: " + first)
	case incident.AwaitLocks:
		s.tellLocks(a.Names)
	}
	return false
}

func (s *stage) next() int64 {
	s.ids++
	return s.ids
}

// pass lets time pass until a moment, with a look whenever one is due before.
func (s *stage) pass(ctx context.Context, until time.Time) error {
	s.moving = s.now
	for range mostRounds {
		if s.due.IsZero() || s.due.After(until) || !s.begun {
			s.now = until
			return nil
		}
		if s.due.After(s.now) {
			s.now = s.due
		}
		before := s.due
		if err := s.look(ctx); err != nil {
			return err
		}
		if !s.due.IsZero() && !s.due.After(before) && !s.due.After(s.now) {
			return fmt.Errorf("the engine asks for a look at %s again and again", before.Format(time.RFC3339))
		}
	}
	return fmt.Errorf("more than %d moments pass before %s; wait for less", mostRounds, until.Format(time.RFC3339))
}

// tell prints events in the words of the pull request.
func (s *stage) tell(events []incident.Event) {
	for _, e := range events {
		switch d := e.Data.(type) {
		case incident.PullOpened:
			continue // it says nothing of the runbook
		case incident.StepStarted:
			if d.Work.NeedsRunner() {
				continue // its start is told
			}
		case incident.RepeatStarted:
			continue
		case incident.CommandRefused:
			continue // its answer is told
		}
		l := render.Timeline([]incident.Event{e})[0]
		s.line(l.Who + ": " + l.What)
		s.tellWork(e.Data)
	}
}

// line adds one line to what is told of the block, with how long after its beginning, where time passes in it. What begins with
// a space is more of the line before.
func (s *stage) line(text string) {
	if !s.moving.IsZero() && !strings.HasPrefix(text, " ") {
		text = "+" + runbook.Span(s.now.Sub(s.moving)) + " " + text
	}
	s.said = append(s.said, text)
}

// take returns what was told of a block, and begins the next.
func (s *stage) take() []string {
	out := s.said
	s.said, s.moving = nil, time.Time{}
	return out
}

// running lists the steps of which somebody waits for an outcome.
func (s *stage) running() (names []string) {
	for _, a := range s.view.Attempts {
		if a.State == incident.AttemptRunning {
			names = append(names, a.Step)
		}
	}
	for name, c := range s.view.Children {
		if c.End == "" && c.Problem == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
