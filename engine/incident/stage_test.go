package incident

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// stage is the world as the tests move it: it does with actions what the engine would do, and nothing by itself.
type stage struct {
	id       ID
	plan     runbook.Plan
	locks    map[string][]string           // that steps take
	reserve  func(map[string]Holder) bool  // takes the locks of an intent in the ledger; false: another incident has one
	freed    func(map[string]Holder)       // told of the locks that are held after each flush
	says     map[string]runbook.Resolution // what a step is once all it needs has ended; ready unless said otherwise
	works    map[string]runbook.Work       // of waits and choices
	lists    map[string][]string           // keys of the elements of templates
	state    State
	pushed   State // as the remote branch has it
	view     View
	now      time.Time
	journal  []Event                 // all events of state
	due      time.Time               // of the last WakeAt of a look, zero if it asked for none
	withdraw int64                   // the review that is dismissed when the next confirmation reads the reviews again
	unpushed bool                    // the next push fails
	slow     time.Duration           // that passes before the next push departs
	cut      bool                    // the engine dies after the next push
	confirm  func()                  // called before each confirmation, when it is set
	flushed  func([]Event)           // told of the events of every flush that departs, when it is set
	started  func(Start)             // told of every start, when it is set
	ordered  func(OpenChild)         // told of every order of a child, when it is set
	parent   *Parent                 // of the incident, if it has one
	unheard  bool                    // orders of children are lost
	unmerged bool                    // the hub does not merge
	told     []ID                    // children that were told to look
	thawing  Thawed                  // the latest
	plans    map[string]runbook.Plan // by digest, once somebody asks for an edit
	unsaid   int64                   // the review of an edit that is dismissed just before the next push
	game     *Rehearsal              // the incident is this rehearsal; nil: it is none
}

func newStage() *stage {
	return &stage{id: "20261122-aaaaaaaaaa", locks: map[string][]string{}, now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), says: map[string]runbook.Resolution{}, works: map[string]runbook.Work{},
		lists: map[string][]string{},
		view:  View{Checks: map[string]bool{}, Branch: Branch{Commits: map[string]int{}}}}
}

func (s *stage) open(t *testing.T) string {
	t.Helper()
	var empty State
	opened := Opened{ID: s.id, Group: "g", Runbook: "runbooks/test.cue", Commit: "base", Plan: "p",
		Alert: Alert{Name: "Alert", Status: Firing, Fingerprint: "1"}, Parent: s.parent, Rehearsal: s.game}
	state, err := Fold(empty.Next([]Data{opened}, s.now))
	if err != nil {
		t.Fatal(err)
	}
	s.state, s.pushed, s.journal = state, state, []Event{{Seq: 1, At: state.At, Data: opened}}
	s.view.Branch.Commits["c1"], s.view.Branch.Head, s.view.Branch.Pushed = 1, "c1", 1
	return "ok\n"
}

// results holds the values of commands against what they have to be: version, a text that is not "wrong".
func (s *stage) results() map[Command]Result {
	out := map[Command]Result{}
	for _, cmd := range s.state.Unchecked(s.plan, s.view.Comments) {
		object, problem := Values(cmd.Rest)
		if strings.Contains(cmd.Rest, "wrong") {
			problem = "its values are not of the type\n\n```cue\n{version: string}\n```\n"
		}
		out[cmd] = Result{Output: object, Problem: problem}
	}
	return out
}

// people are those whom the hub knows, by login.
func people() map[string]approval.Person {
	out := map[string]approval.Person{}
	for _, login := range []string{"alice", "bob", "carol", "dora", "erin", "frank", "mallory", "robot"} {
		args := map[string]string{"by": login}
		if login == "mallory" {
			args["readonly"] = "yes"
		}
		out[login] = person(args)
	}
	return out
}

// resolve says what each step is now.
func (s *stage) resolve() runbook.Plan {
	s.follow()
	ended := s.state.Ended(s.plan)
	p := s.plan
	p.Steps = slices.Clone(p.Steps)
	for i, step := range p.Steps {
		p.Steps[i].Now = s.resolution(step, ended)
	}
	return p
}

func (s *stage) resolution(step runbook.Step, ended map[string]runbook.Ended) runbook.Resolution {
	skipped := 0
	for _, need := range step.Needs {
		e, ok := ended[need]
		if !ok {
			return runbook.Resolution{Status: runbook.StatusWaiting}
		}
		if e.Skipped {
			skipped++
		}
	}
	if end := ended[step.Undoes]; step.Undoes != "" && step.Each && end.Happened != nil {
		return s.elementsOf(step, end.Happened)
	} else if step.Undoes != "" && end.Conclusion != runbook.Succeeded {
		return runbook.Resolution{Status: runbook.StatusSkip, Problem: "there is nothing to undo"}
	}
	if skipped > 0 && skipped == len(step.Needs) && !step.JoinAny {
		return runbook.Resolution{Status: runbook.StatusSkip, Problem: "it only follows skipped steps"}
	}
	if said, ok := s.says[step.Name]; ok {
		return said
	}
	if step.Each {
		return s.elementsOf(step, s.lists[step.Name])
	}
	work, ok := s.works[step.Name]
	if !ok {
		work = runbook.Work{Manual: &runbook.Manual{Task: step.Name}}
	}
	return runbook.Resolution{Status: runbook.StatusReady, Work: work, Locks: s.locks[step.Name]}
}

// elementsOf is what a template with the given keys is now.
func (s *stage) elementsOf(step runbook.Step, keys []string) runbook.Resolution {
	now := runbook.Resolution{Status: runbook.StatusReady, Elements: []runbook.Element{}}
	for _, key := range keys {
		e := runbook.Element{Key: key, Now: runbook.Resolution{Status: runbook.StatusReady}}
		work, ok := s.works[step.Name]
		if !ok {
			work = runbook.Work{Manual: &runbook.Manual{Task: step.Name + " of " + key}}
		}
		e.Now.Work = work
		if said, ok := s.says[step.Name+"."+key]; ok {
			e.Now = said
		}
		now.Elements = append(now.Elements, e)
	}
	return now
}

// look decides and performs as the engine does: until nothing has changed.
func (s *stage) look(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for range 50 {
		again := false
		s.due, s.view.Results, s.view.People, s.view.Strangers = time.Time{}, s.results(), people(), Strangers(s.view.Strangers, s.view.Comments)
		actions := Decide(s.resolve(), s.state, s.view, s.now)
		same := s.view // what is spent decides nothing
		same.Attempts = slices.DeleteFunc(slices.Clone(s.view.Attempts), s.state.Spent)
		if twice := Decide(s.resolve(), s.state, same, s.now); !reflect.DeepEqual(actions, twice) {
			t.Fatalf("two decisions on the same facts differ:\n%v\n%v", actions, twice)
		}
		for _, action := range actions {
			fmt.Fprintln(&b, show(action))
			changed, failed := s.perform(t, action)
			again = again || changed
			if failed != "" {
				fmt.Fprintln(&b, "  failed: "+failed)
				again = true
				break
			}
		}
		if !again {
			s.view.Presses = nil // they were handled
			return b.String()
		}
		b.WriteString("-\n")
	}
	t.Fatalf("the look does not end:\n%s", b.String())
	return ""
}

func (s *stage) perform(t *testing.T, action Action) (again bool, failed string) {
	t.Helper()
	switch a := action.(type) {
	case Commit:
		events := s.state.Next(a.Events, a.At)
		next, err := s.state.With(events...)
		if err != nil {
			t.Fatal(err)
		}
		s.state, s.journal = next, append(s.journal[:len(s.journal):len(s.journal)], events...)
		s.view.Branch.Head = fmt.Sprintf("c%d", next.Seq)
		s.view.Branch.Commits[s.view.Branch.Head] = next.Seq
		s.thaws(a)
		return true, ""
	case Flush:
		return s.flush(a)
	case Start:
		if s.started != nil {
			s.started(a)
		}
		s.view.Attempts = append(s.view.Attempts, Attempt{Key: a.Key, Step: a.Step, Number: a.Attempt, State: AttemptRunning, Place: int64(len(s.view.Attempts) + 1)})
	case WakeAt:
		s.due = a.At
	case OpenChild:
		if s.ordered != nil {
			s.ordered(a)
		}
		if s.unheard {
			return false, ""
		}
		if s.view.Children == nil {
			s.view.Children = map[string]Child{}
		}
		s.view.Children[a.Parent.Step] = Child{Attempt: a.Parent.Attempt, Incident: NewID(ChildSlot(a.Parent.Key()), s.now), Came: 1}
		return true, ""
	case TellChild:
		s.told = append(s.told, a.Incident)
	case Stop:
		for i := range s.view.Attempts {
			if s.view.Attempts[i].Key == a.Key {
				s.end(i, runbook.Cancelled, "")
			}
		}
	case RequestReview, WithdrawReviews, React, Reply, PublishRollup, PublishBody:
		if s.cut {
			s.cut = false
			return false, "the engine died"
		}
		return s.publish(action), ""
	default:
		return s.publish(action), ""
	}
	return false, ""
}

// flush confirms and pushes. When an approval is gone, what is local is dropped, as the engine does.
func (s *stage) flush(f Flush) (again bool, failed string) {
	if s.unpushed {
		s.unpushed = false
		s.drop()
		return false, "the remote does not answer"
	}
	if s.slow > 0 {
		s.now, s.slow = s.now.Add(s.slow), 0
	}
	if !f.Departs(s.now) {
		s.drop()
		return false, "what the calendar demands has changed"
	}
	if f.Confirms() && s.withdraw != 0 {
		s.dismiss(s.withdraw)
		s.withdraw = 0
	}
	if f.Confirms() && s.confirm != nil {
		s.confirm()
	}
	if s.view.Branch.Foreign != nil {
		s.drop()
		return false, "the remote branch has moved"
	}
	if why := f.Withdrawn(s.view.Reviews, s.state.Shown(s.view.Branch.Commits)); why != "" {
		s.drop()
		return false, why
	}
	if why := s.confirmEdit(f); why != "" {
		s.drop()
		return false, why
	}
	if s.reserve != nil && !s.reserve(s.state.Locks()) {
		s.drop()
		return false, "another incident was first to take a lock"
	}
	if s.freed != nil {
		s.freed(s.state.Locks())
	}
	if s.flushed != nil {
		s.flushed(s.journal[s.pushed.Seq:])
	}
	s.pushed, s.view.Branch.Pushed = s.state, s.state.Seq
	if s.view.Pull != nil {
		s.view.Pull.Head = s.view.Branch.Head
	}
	return true, ""
}

// drop forgets what is local.
func (s *stage) drop() {
	s.state, s.journal = s.pushed, s.journal[:s.pushed.Seq]
	for sha, seq := range s.view.Branch.Commits {
		if seq > s.state.Seq {
			delete(s.view.Branch.Commits, sha)
		}
	}
	s.view.Branch.Head, s.view.Strangers = fmt.Sprintf("c%d", s.state.Seq), nil
}

func (s *stage) dismiss(review int64) {
	for i := range s.view.Reviews {
		if s.view.Reviews[i].ID == review {
			s.view.Reviews[i].State = approval.Dismissed
		}
	}
}

func (s *stage) publish(action Action) (again bool) {
	switch a := action.(type) {
	case OpenPull:
		s.view.Pull = &Pull{Number: 7, URL: "http://hub/pull/7", Open: true, Head: s.view.Branch.Head}
		return true
	case ReopenPull:
		s.view.Pull.Open = true
		return true
	case Merge:
		if s.unmerged {
			return false
		}
		s.view.Pull.Merged, s.view.Pull.Open = true, false
		return true
	case PublishCheck:
		s.view.Checks[a.ExternalID] = true
	case PublishRollup:
		s.view.Checks[a.ExternalID] = true
	case RequestReview:
		s.view.Pull.Asked = append(s.view.Pull.Asked, a.From...)
	case WithdrawReviews:
		s.view.Pull.Asked = slices.DeleteFunc(slices.Clone(s.view.Pull.Asked), func(who string) bool { return slices.Contains(a.From, who) })
	case React:
		for i := range s.view.Comments {
			s.view.Comments[i].Seen = s.view.Comments[i].Seen || s.view.Comments[i].ID == a.Comment
		}
	case AnswerEdit, CloseEdit:
		s.edited(a)
	case Reply:
		s.view.Comments = append(s.view.Comments, Comment{ID: -1, Own: true, Body: MarkReply(a.Key, a.Text)})
	}
	return false
}

func (s *stage) end(i int, conclusion runbook.Conclusion, output string) {
	a := &s.view.Attempts[i]
	a.State = AttemptEnded
	a.Outcome = &runbook.Outcome{Key: a.Key, Step: a.Step, Attempt: a.Number, Conclusion: conclusion, Started: s.now, Ended: s.now}
	if output != "" {
		a.Outcome.Output = []byte(output)
	}
}
