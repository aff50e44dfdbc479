package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestTranscripts runs the scenarios of testdata: a command, ----, the exact output. -rewrite writes the outputs anew;
// commit the difference only if it is understood and desired. Each scenario runs twice and must say the same.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		first, second := newStage(), newStage()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			a, b := first.command(t, d), second.command(t, d)
			if a != b {
				t.Fatalf("%s: two runs differ:\n%s\n%s", d.Pos, a, b)
			}
			return a
		})
	})
}

func (s *stage) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	args := argsOf(d)
	switch d.Cmd {
	case "plan":
		said := s.makePlan(t, d.Input)
		s.plan.SelfApproval = strings.FieldsFunc(args["self"], func(r rune) bool { return r == ',' })
		s.plan.Thaw = strings.FieldsFunc(args["thaw"], func(r rune) bool { return r == ',' })
		if n := args["concurrency"]; n != "" {
			s.plan.Concurrency = int(number(t, n))
		}
		if n := args["edit"]; n != "" {
			s.plan.Edit = &runbook.Approval{From: []string{"acme/sre"}, Count: int(number(t, n))}
		}
		s.calendar(t, args)
		s.glass(args)
		return said
	case "open":
		return s.open(t)
	case "rehearse": // from the opening on
		s.game = gameOf(args)
	case "look":
		return s.look(t)
	case "outcome":
		return s.outcome(t, args)
	case "queue":
		s.view.Attempts[slices.IndexFunc(s.view.Attempts, func(a Attempt) bool { return a.Step == args["step"] })].State = AttemptQueued
	case "late":
		s.late(t, args)
	case "lose", "vanish":
		return s.lose(d.Cmd, args)
	case "says":
		s.says[args["step"]] = runbook.Resolution{Status: runbook.Status(args["status"]), Problem: args["problem"]}
	case "review":
		return s.review(args, d.Input)
	case "comment":
		c := Comment{ID: number(t, args["id"]), By: person(args), Body: d.Input, Edited: args["edited"] != "", At: s.now}
		s.view.Comments = append(s.view.Comments, c)
	case "press":
		p := Press{Delivery: args["id"], By: person(args), Check: 77, Run: "20261122-aaaaaaaaaa/step/1/2", Button: args["button"], At: s.now}
		if run := args["run"]; run != "" {
			p.Run = run
		}
		s.view.Presses = append(s.view.Presses, p)
	case "buttons":
		return s.buttons(args["step"])
	case "after":
		wait, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(wait)
	case "push-fails":
		s.unpushed = true
	case "authors":
		s.wrote(t, args)
	case "dies-after-push":
		s.cut = true
	case "restart":
		s.drop() // what was not pushed is gone; the queue, its timers and the hub are not
	case "alert":
		s.view.Alerts = []Alert{{Name: "Alert", Status: AlertStatus(args["status"]), Fingerprint: args["id"]}}
	case "hub":
		return s.hub(t, args)
	case "list":
		s.lists[args["step"]] = keys(args["keys"])
	case "child":
		return s.child(args)
	case "orders":
		s.unheard = args["lost"] != ""
	case "child-of":
		s.parent = &Parent{Incident: "20261121-pppppppppp", Step: "a", Attempt: 1, Runbooks: strings.Split(args["runbooks"], ",")}
		if room := args["room"]; room != "" {
			s.parent.Room = int(number(t, room))
		}
	case "recall":
		s.view.Recall = &Recalled{Why: d.Input}
	case "slow": // is the next push
		s.slow, _ = time.ParseDuration(d.CmdArgs[0].Key)
	case "held": // by another incident, or wanted by one that came first, or free again
		s.held(args)
	case "state":
		return s.describe()
	case "members", "leaves", "verdict", "may-write":
		return s.left(d.Cmd, args)
	case "edit", "edit-review", "edit-withdraw":
		return s.edits(t, d, args)
	default:
		return s.aboutRun(t, d, args)
	}
	return "ok\n"
}

func argsOf(d *datadriven.TestData) map[string]string {
	out := map[string]string{}
	for _, a := range d.CmdArgs {
		out[a.Key] = strings.Join(a.Vals, ",")
		if len(a.Vals) == 0 {
			out[a.Key] = "yes"
		}
	}
	return out
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q is no number: %v", s, err)
	}
	return n
}

// person is one of alice, bob, carol, erin and frank of acme/sre, or dora, mallory or the robot.
func person(args map[string]string) approval.Person {
	ids := map[string]int64{"alice": 101, "bob": 102, "carol": 103, "dora": 104, "erin": 105, "frank": 106, "ALICE": 101, "alicе": 107, "mallory": 666, "robot": 900}
	p := approval.Person{ID: ids[args["by"]], Login: args["by"], Write: args["readonly"] == "", Bot: args["by"] == "robot"}
	if p.ID >= 101 && p.ID <= 106 && p.Login != "dora" {
		p.Teams = []string{"acme/sre"}
	}
	if teams := args["teams"]; teams != "" {
		p.Teams = strings.Split(teams, ",")
	}
	return p
}

// makePlan reads one step a line: name kind risk [key=value ...].
func (s *stage) makePlan(t *testing.T, input string) string {
	t.Helper()
	var steps []runbook.Step
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		step := runbook.Step{Name: words[0], Kind: runbook.Kind(words[1]), Risk: runbook.Risk(words[2]), Title: words[0],
			Timeout: time.Minute, OnFailure: runbook.FailureHalts}
		if step.Kind.AsksPeople() {
			step.Timeout = 24 * time.Hour
		}
		for _, w := range words[3:] {
			if name, ok := strings.CutPrefix(w, "opens="); ok {
				step.Runbook = name
			}
			if locks, ok := strings.CutPrefix(w, "locks="); ok {
				s.locks[step.Name], step.TakesLocks = slices.Sorted(strings.SplitSeq(locks, ",")), true
			} else if !s.work(t, step, w) {
				option(t, &step, w)
			}
		}
		steps = append(steps, step)
	}
	ordered, err := runbook.Order(steps)
	if err != nil {
		return err.Error() + "\n"
	}
	s.plan = runbook.Plan{Name: "test", Title: "Test", Steps: ordered, Command: []string{"acme/sre"}}
	return "ok\n"
}

// work reads what a wait waits for, and what a choice offers.
func (s *stage) work(t *testing.T, step runbook.Step, word string) bool {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "for":
		length, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		s.works[step.Name] = runbook.Work{Wait: &runbook.Wait{For: length}}
	case "until":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			t.Fatal(err)
		}
		s.works[step.Name] = runbook.Work{Wait: &runbook.Wait{Until: at}}
	case "hours": // of every day: from-to
		var from, to int
		if _, err := fmt.Sscanf(value, "%d-%d", &from, &to); err != nil {
			t.Fatal(err)
		}
		w := runbook.Window{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, From: time.Duration(from) * time.Hour, To: time.Duration(to) * time.Hour}
		s.works[step.Name] = runbook.Work{Wait: &runbook.Wait{Window: &w}}
	case "never":
		s.works[step.Name] = runbook.Work{Wait: &runbook.Wait{Window: &runbook.Window{}}}
	case "each":
		s.lists[step.Name] = keys(value)
		return false
	case "opens":
		s.works[step.Name] = runbook.Work{Runbook: &runbook.Child{Name: value}}
	case "options":
		c := runbook.Choose{Question: "Which?"}
		for _, name := range strings.Split(value, ",") {
			c.Options = append(c.Options, runbook.Option{Name: name, Title: "Take " + name})
		}
		s.works[step.Name] = runbook.Work{Choose: &c}
	default:
		return false
	}
	return true
}

// keys reads a list of keys: none for an empty text.
func keys(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func option(t *testing.T, step *runbook.Step, word string) {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "needs":
		step.Needs = strings.Split(value, ",")
	case "every":
		step.Every, _ = time.ParseDuration(value)
	case "timeout":
		step.Timeout, _ = time.ParseDuration(value)
	case "approve":
		step.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: int(number(t, value))}
	case "all": // of lists: 1:acme/sre;2:acme/dba+bob
		step.Approval = &runbook.Approval{}
		for leaf := range strings.SplitSeq(value, ";") {
			count, who, _ := strings.Cut(leaf, ":")
			step.Approval.All = append(step.Approval.All, runbook.Approval{From: strings.Split(who, "+"), Count: int(number(t, count))})
		}
	case "rehearses":
		step.Rehearses = value
	case "within", "remind", "aborts", "escalate":
		timing(t, step.Approval, key, value)
	case "attempts":
		step.Retry = runbook.Retry{Attempts: int(number(t, value)), Backoff: 10 * time.Second}
	case "written": // by somebody: the command authors says by whom
		last := 2
		if value != "" {
			last = int(number(t, value))
		}
		step.Lines = []runbook.Lines{{File: "runbooks/test.cue", From: 1, To: last}}
	case "owners": // of the code, with commas
		step.CodeOwners = strings.Split(value, ",")
	case "idempotent":
		step.Idempotent = true
	case "jitter":
		step.Retry.Jitter = 1
	case "continues":
		step.OnFailure = runbook.FailureContinues
	case "undo":
		step.OnFailure = runbook.FailureUndoes
	case "any":
		step.JoinAny = true
	case "each":
		step.Each = true
	case "output":
		step.HasOutput = true
	case "finally":
		step.Stage = runbook.StageFinally
	case "undoes":
		step.Stage, step.Undoes, step.Needs = runbook.StageUndo, value, []string{value}
	default:
		runs(t, step, key, value)
	}
}

func (s *stage) outcome(t *testing.T, args map[string]string) string {
	t.Helper()
	conclusion := runbook.Succeeded
	if args["conclusion"] != "" {
		conclusion = runbook.Conclusion(args["conclusion"])
	}
	for i, a := range s.view.Attempts {
		if a.Step == args["step"] && a.State == AttemptRunning {
			s.end(i, conclusion, args["output"])
			return "ok\n"
		}
	}
	return "nothing is running\n"
}

// late brings the outcome of an attempt that the step queue does not list any more.
func (s *stage) late(t *testing.T, args map[string]string) {
	t.Helper()
	n := int(number(t, args["attempt"]))
	s.view.Attempts = append(s.view.Attempts, Attempt{Key: runbook.AttemptKey(string(s.state.Opened.ID), args["step"], n), Step: args["step"], Number: n})
	s.end(len(s.view.Attempts)-1, runbook.Succeeded, "")
}

func (s *stage) lose(how string, args map[string]string) string {
	for i, a := range s.view.Attempts {
		if a.Step != args["step"] || a.State != AttemptRunning {
			continue
		}
		if how == "vanish" {
			s.view.Attempts = slices.Delete(s.view.Attempts, i, i+1)
		} else {
			s.view.Attempts[i].State = AttemptLost
		}
		return "ok\n"
	}
	return "nothing is running\n"
}

func (s *stage) review(args map[string]string, body string) string {
	var id int64
	fmt.Sscan(args["id"], &id)
	state := approval.Approved
	if args["state"] != "" {
		state = approval.ReviewState(args["state"])
	}
	commit := s.view.Branch.Head
	if args["at"] != "" {
		commit = args["at"]
	}
	r := approval.Review{ID: id, By: person(args), State: state, Commit: commit, Body: body, Edited: args["edited"] != "", At: s.now}
	for i, old := range s.view.Reviews {
		if old.ID == id {
			s.view.Reviews[i].State = state
			return "changed\n"
		}
	}
	s.view.Reviews = append(s.view.Reviews, r)
	if s.view.Pull != nil { // who has reviewed is not asked any more, nor are their teams
		s.view.Pull.Asked = slices.DeleteFunc(slices.Clone(s.view.Pull.Asked), func(who string) bool { return approval.Named(r.By, []string{who}) })
	}
	return "ok\n"
}

func (s *stage) hub(t *testing.T, args map[string]string) string {
	for _, what := range slices.Sorted(maps.Keys(args)) {
		switch what {
		case "closed":
			if s.view.Pull.Open = args[what] == "no"; s.view.Pull.Open {
				s.view.Pull.Head = s.view.Branch.Tip
			}
		case "merged":
			s.view.Pull.Open, s.view.Pull.Merged = false, true
		case "foreign", "gone", "moved", "replaced", "lost":
			s.meddle(t, what, args[what])
		case "deleted":
			s.view.Branch.Gone, s.view.Branch.Deleted = true, true
		case "upgraded":
			s.view.Unread = map[string]string{"yes": "schema.cue: it is in another language", "back": ""}[args[what]]
		case "unmerged":
			s.unmerged = args[what] != "no"
		case "later":
			s.view.Later = ID(args[what])
		case "asks": // a person asks for a review
			s.view.Pull.Asked = append(s.view.Pull.Asked, args[what])
		case "answered": // by a review that was given before
			s.view.Pull.Asked = slices.DeleteFunc(slices.Clone(s.view.Pull.Asked), func(who string) bool { return who == args[what] })
		case "answers-deleted":
			s.view.Comments = slices.DeleteFunc(s.view.Comments, func(c Comment) bool { return c.Own })
		case "withdraw":
			s.withdraw = number(t, args[what])
		}
	}
	return "ok\n"
}

// calendar reads freeze=03:10-04:00,05:00-06:00 of the first day, and hours=4-6 of every day as the change windows. Freezes ask
// one of acme/leads, changes outside of the windows one of acme/night.
func (s *stage) calendar(t *testing.T, args map[string]string) {
	t.Helper()
	for span := range strings.SplitSeq(args["freeze"], ",") {
		from, to, ok := strings.Cut(span, "-")
		if !ok {
			continue
		}
		f := runbook.Freeze{Why: "sales", Rule: runbook.Approval{From: []string{"acme/leads"}, Count: 1}}
		for at, text := range map[*time.Time]string{&f.From: from, &f.To: to} {
			var err error
			if *at, err = time.Parse("2006-01-02 15:04", "2026-11-22 "+text); err != nil {
				t.Fatal(err)
			}
		}
		s.plan.Calendar.Freezes = append(s.plan.Calendar.Freezes, f)
	}
	if hours := args["hours"]; hours != "" {
		var from, to int
		if _, err := fmt.Sscanf(hours, "%d-%d", &from, &to); err != nil {
			t.Fatal(err)
		}
		s.plan.Calendar.Windows = []runbook.Window{{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, From: time.Duration(from) * time.Hour, To: time.Duration(to) * time.Hour}}
		s.plan.Calendar.Outside = &runbook.Approval{From: []string{"acme/night"}, Count: 1}
	}
}

func (s *stage) held(args map[string]string) {
	if s.view.Locks == nil {
		s.view.Locks = map[string]Holder{}
	}
	delete(s.view.Locks, args["lock"])
	s.view.Queue = nil
	if args["by"] == "" {
		return
	}
	by := Holder{Incident: ID("20261122-" + args["by"]), Step: "other", Since: s.now, PullURL: "http://hub/pull/" + args["pull"]}
	if args["waits"] == "" {
		s.view.Locks[args["lock"]] = by
		return
	}
	by.Waits, by.Since = true, by.Since.Add(-time.Minute)
	s.view.Queue = []Waiting{{by, []string{args["lock"], "another"}}}
}

func (s *stage) describe() string {
	var b strings.Builder
	mitigated := "no"
	if at := s.state.MitigatedAt; !at.IsZero() {
		mitigated = "at " + at.Format("15:04:05")
	}
	fmt.Fprintf(&b, "seq %d pushed %d waited %s end %q mitigated: %s\n", s.state.Seq, s.view.Branch.Pushed, s.state.Waited, s.state.End, mitigated)
	for _, step := range s.state.Expand(s.plan).Steps {
		st := s.state.Step(step.Name)
		fmt.Fprintf(&b, "%s: %q round %d attempt %d %s", step.Name, st.Phase, st.Round, st.Attempt, st.Conclusion)
		if step.Each && len(st.Output) > 0 {
			fmt.Fprintf(&b, " %s", st.Output)
		}
		if r := st.Repeats; r.Attempt > 0 {
			fmt.Fprintf(&b, ", %d repetitions, %d failed", r.Done, r.Failed)
		}
		if st.WouldRun {
			b.WriteString(", would run")
		}
		b.WriteString("\n")
	}
	if p := s.state.Paused; p != nil {
		fmt.Fprintf(&b, "paused by %s: %s\n", p.Deed.By.Login, p.Why)
	}
	if r := s.state.Reopened; r != nil {
		fmt.Fprintf(&b, "reopened by %s\n", r.Deed.By.Login)
	}
	held, kept := s.state.Locks(), s.state.Keeps(s.view)
	for _, lock := range slices.Sorted(maps.Keys(held)) {
		_, keeps := kept[lock]
		fmt.Fprintf(&b, "lock %s: held by %s, kept from others: %t\n", lock, held[lock].Step, keeps)
	}
	return b.String()
}
