package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

const editedBook = "runbooks/a.cue"

// desk is a hub with one edit, and the ledger that it is about.
type desk struct {
	Hub
	Ledger
	Inbox
	Eval
	pull    incident.Pull
	changes []proposal.Change
	writers proposal.Writers
	head    map[string]string // below the plan directory, at the edit's head
	fail    error             // of the next look
	looks   int
	woken   []string
	said    []incident.Publication
	checked []string // heads with a check
	heads   map[string]string
	sealed  map[string]string // by commit: the event that gave the branch back
	stopped error             // of the evaluator
	loads   int
	clock   hand
}

func (d *desk) Look(context.Context, incident.HubQuery) (incident.HubView, error) {
	d.looks++
	return incident.HubView{Pull: &d.pull}, d.fail
}
func (d *desk) Publish(_ context.Context, p incident.Publication) error {
	d.said = append(d.said, p)
	return nil
}
func (d *desk) Changes(context.Context, proposal.Pull) ([]proposal.Change, error) {
	if d.changes == nil {
		return nil, proposal.ErrTooLarge
	}
	return d.changes, nil
}
func (d *desk) Writers(context.Context, int) (proposal.Writers, error) { return d.writers, nil }
func (d *desk) Put(_ context.Context, messages ...Message) error {
	for _, m := range messages {
		d.woken = append(d.woken, m.Kind+" "+m.Key)
	}
	return nil
}
func (d *desk) Heads(context.Context) (map[string]string, error) { return d.heads, nil }
func (d *desk) Files(_ context.Context, commit string, _ ...string) (map[string]File, error) {
	out := map[string]File{}
	if text, there := d.sealed[commit]; there {
		out["incidents/2026/11/22/20261122-k3jq5zabcd/journal/0/000002-thawed.json"] = File{Data: []byte(text)}
	}
	if commit == "h1" {
		for name, text := range d.head {
			out["incidents/2026/11/22/20261122-k3jq5zabcd/plan/"+name] = File{Data: []byte(text)}
		}
	}
	return out, nil
}

// clerk is the desk as it sees people's pull requests.
type clerk struct{ *desk }

func (c clerk) Proposals(context.Context) ([]proposal.Pull, error) { return nil, c.fail }
func (c clerk) Vetted(context.Context, string) (bool, error)       { return true, c.fail }
func (c clerk) Report(_ context.Context, r proposal.Check) error {
	c.checked = append(c.checked, r.Pull.Head)
	return c.fail
}

// Load takes the text of a runbook for the title of its one step, and finds the word mistake.
func (d *desk) Load(_ context.Context, src runbook.Source) (runbook.Plan, []runbook.Problem, error) {
	d.loads++
	if d.stopped != nil {
		return runbook.Plan{}, nil, d.stopped
	}
	text := string(src.Files[src.Runbook])
	if strings.Contains(text, "mistake") {
		return runbook.Plan{}, []runbook.Problem{{File: src.Runbook, Line: 1, Text: "is wrong"}}, nil
	}
	return editedPlan(text), nil, nil
}

func editedPlan(text string) runbook.Plan {
	return runbook.Plan{Name: "a", Edit: &runbook.Approval{From: []string{"acme/sre"}, Count: 1},
		Steps: []runbook.Step{{Name: "a", Kind: runbook.KindExec, Risk: runbook.RiskChange, Title: text, Lines: []runbook.Lines{{File: editedBook, From: 1, To: 1}}}}}
}

// newDesk is an engine with an open incident, and an edit that changes its runbook.
func newDesk(t *testing.T) (*desk, *Engine, *worker) {
	t.Helper()
	static, err := planText(editedPlan("one"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{journal.PlanFile: static, journal.SchemaFile: []byte("schema"), editedBook: []byte("one"), orgFile: []byte("org")}
	opened := incident.Opened{ID: "20261122-k3jq5zabcd", Runbook: editedBook, Commit: "base", Plan: journal.PlanDigest(files)}
	state, err := incident.Fold([]incident.Event{{Seq: 1, Data: opened}})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{pull: incident.Pull{Number: 9, Open: true, Head: "h1", Branch: "edit/a", Base: "incident/k3jq5zabcd"}, head: map[string]string{},
		changes: []proposal.Change{{Path: "incidents/2026/11/22/20261122-k3jq5zabcd/plan/" + editedBook}},
		writers: proposal.Writers{Head: "h1", Base: "incident/k3jq5zabcd", Authors: []runbook.Author{{ID: 12, Login: "bob"}, {ID: 12, Login: "bob"}}}}
	d.pull.By.ID, d.pull.By.Login = 13, "carol"
	for name, text := range files {
		d.head[name] = string(text)
	}
	d.head[editedBook] = "two"
	e := New(Config{Hub: d, Ledger: d, Inbox: d, Eval: d, Clock: &d.clock, Reviewing: Reviewing{Hub: clerk{d}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	w := &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), ledger: &notes{state: state}}
	if err := w.freeze(origin{plan: editedPlan("one"), files: files}, opened, files); err != nil {
		t.Fatal(err)
	}
	return d, e, w
}

func (d *desk) proposal() proposal.Pull {
	return proposal.Pull{Number: 9, Head: "h1", Branch: "edit/a", Base: "incident/k3jq5zabcd"}
}

// TestEdits: an edit makes a plan of the sources that it changes; whatever else it does is said, and it is not taken.
func TestEdits(t *testing.T) {
	at := func(name string) []proposal.Change {
		return []proposal.Change{{Path: "incidents/2026/11/22/20261122-k3jq5zabcd/plan/" + name}}
	}
	for name, c := range map[string]struct {
		change func(*desk)
		want   string // of the problem; empty: it makes a plan
	}{
		"as it should be":         {func(*desk) {}, ""},
		"outside of the plan":     {func(d *desk) { d.changes = append(d.changes, proposal.Change{Path: "README.md"}) }, "README.md: an edit changes nothing but"},
		"of another incident":     {func(d *desk) { d.changes = []proposal.Change{{Path: "incidents/2026/11/21/x/plan/" + editedBook}} }, "nothing but files of the plan"},
		"the organisation":        {func(d *desk) { d.changes, d.head[orgFile] = at(orgFile), "x" }, "rules stay as they were"},
		"the plan's own file":     {func(d *desk) { d.changes, d.head[journal.PlanFile] = at(journal.PlanFile), "{}" }, "the engine makes it"},
		"the schema":              {func(d *desk) { d.changes, d.head[journal.SchemaFile] = at(journal.SchemaFile), "x" }, "the engine makes it"},
		"a new file":              {func(d *desk) { d.changes = at("runbooks/b.cue") }, "it adds none"},
		"a file less":             {func(d *desk) { d.changes[0].Gone = true }, "takes none away"},
		"another mode":            {func(d *desk) { d.changes[0].Mode = true }, "plain files"},
		"the plan was edited":     {func(d *desk) { d.head[journal.PlanFile] = "{}" }, "merge incident/k3jq5zabcd into it"},
		"nothing":                 {func(d *desk) { d.head[editedBook] = "one" }, "changes nothing"},
		"too much":                {func(d *desk) { d.changes = nil }, "more files than the hub lists"},
		"from a fork":             {func(d *desk) { d.pull.Fork = true }, "begins with edit/"},
		"from another branch":     {func(d *desk) { d.pull.Branch = "fix" }, "begins with edit/"},
		"by an unknown author":    {func(d *desk) { d.writers.Unmapped = "commit 1a2b3c4" }, "commit 1a2b3c4 is by somebody whom"},
		"its head has just moved": {func(d *desk) { d.writers.Head = "h2" }, "cannot be read now"},
		"its base has just moved": {func(d *desk) { d.writers.Base = "edit/bobs" }, "cannot be read now"},
		"the hub is away":         {func(d *desk) { d.fail = errors.New("502") }, "cannot be read now"},
		"a mistake":               {func(d *desk) { d.head[editedBook] = "a mistake" }, "runbooks/a.cue:1:0: is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			d, e, w := newDesk(t)
			c.change(d)
			if err := e.noteEdits(t.Context(), []proposal.Pull{d.proposal(), {Number: 3, Head: "x"}}); err != nil {
				t.Fatal(err)
			}
			if err := e.lookAtEdits(t.Context(), w); err != nil {
				t.Fatalf("an edit keeps the incident from going on: %v", err)
			}
			edit := w.edits[0].edit
			got := edit.Problem
			for _, p := range edit.Problems {
				got += p.String()
			}
			if !strings.Contains(got, c.want) || (edit.Draft == nil) != (c.want != "") {
				t.Fatalf("got %q, %+v, want %q", got, edit.Draft, c.want)
			}
			if c.want != "" {
				return
			}
			draft := edit.Draft
			if !slices.Equal(draft.Changed, []string{"a"}) || draft.Plan.Edits != 1 || !slices.Equal(slices.Sorted(maps.Keys(draft.Files)), []string{journal.PlanFile, editedBook}) ||
				len(edit.Authors) != 2 || !strings.Contains(draft.Diff, "-one") {
				t.Errorf("%+v by %+v", draft, edit.Authors)
			}
			if err := w.edited(draft.Files); err != nil || w.frozen.digest != draft.Digest || string(w.frozen.source.Files[editedBook]) != "two" || w.plan.known {
				t.Errorf("taken: %v, %s, want %s", err, w.frozen.digest, draft.Digest)
			}
		})
	}
}

// TestEditsCostNothing: where no edit is open, or the organisation names nobody for them, the hub is not asked; and the incident
// is woken only by one that is new, has moved, or is gone.
func TestEditsCostNothing(t *testing.T) {
	d, e, w := newDesk(t)
	if err := e.lookAtEdits(t.Context(), w); err != nil || d.looks != 0 {
		t.Errorf("without edits: %v, %d looks", err, d.looks)
	}
	moved := d.proposal()
	moved.Head = "h2"
	for _, list := range [][]proposal.Pull{{d.proposal()}, {d.proposal()}, {moved}, {}, {}} {
		if err := e.noteEdits(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if want := slices.Repeat([]string{"hub incident/k3jq5zabcd"}, 3); !slices.Equal(d.woken, want) {
		t.Errorf("woken by %v", d.woken)
	}
	w.frozen.plan.Edit = nil
	if err := errors.Join(e.noteEdits(t.Context(), []proposal.Pull{d.proposal()}), e.lookAtEdits(t.Context(), w)); err != nil || d.looks != 0 || len(w.openEdits()) != 1 {
		t.Errorf("where nobody may edit: %v, %d looks", err, d.looks)
	}
}

// TestClosedEdits: an edit that was taken is closed with a word of why, which is not said a second time after a crash.
func TestClosedEdits(t *testing.T) {
	for _, commented := range []bool{false, true} {
		d, e, w := newDesk(t)
		w.ledger.state.Edits = []incident.PlanEdited{{Pull: 9, Head: "h1", Changed: []string{"a"}}}
		if err := e.noteEdits(t.Context(), []proposal.Pull{d.proposal()}); err != nil {
			t.Fatal(err)
		}
		w.edits = []*editNotes{{edit: incident.Edit{Pull: d.pull}}}
		if err := e.closeEdit(t.Context(), w, incident.CloseEdit{Pull: 9, Commented: commented}); err != nil {
			t.Fatal(err)
		}
		if (len(d.checked) == 0) != commented || len(w.edits) > 0 {
			t.Errorf("checks on %v, and its notes are %v", d.checked, w.edits)
		}
		if n := len(d.said); (n == 1) != commented || !d.said[n-1].Close || d.said[n-1].Pull != 9 {
			t.Errorf("said %+v", d.said)
		}
		if !commented && !incident.HasReplyKey(*d.said[0].Comment, "edit-taken") {
			t.Errorf("the comment is %q", *d.said[0].Comment)
		}
		if len(e.editsOf(w.branch)) != 0 {
			t.Error("it is read once more")
		}
	}
}

// TestForksKeepNoEditOut: of more pull requests against an incident's branch than are read, those that can be taken come first.
func TestForksKeepNoEditOut(t *testing.T) {
	_, e, w := newDesk(t)
	var pulls []proposal.Pull
	for i := range mostEdits + 2 {
		pulls = append(pulls, proposal.Pull{Number: i + 1, Head: "h1", Branch: "edit/a", Base: w.branch, Fork: i%2 == 0})
	}
	pulls = append(pulls, proposal.Pull{Number: 8, Head: "h1", Branch: "fix", Base: w.branch}, proposal.Pull{Number: 9, Head: "h1", Branch: "edit/a", Base: w.branch})
	if err := e.noteEdits(t.Context(), pulls); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range e.editsOf(w.branch) {
		got = append(got, p.Number)
	}
	if want := []int{2, 4, 6, 9, 1}; !slices.Equal(got, want) {
		t.Errorf("read are %v, want %v", got, want)
	}
}

// TestEditsAnswerNotForIncidents: an edit whose head is that of another incident gets no check there, since the hub would take it
// for that incident's own.
func TestEditsAnswerNotForIncidents(t *testing.T) {
	d, e, w := newDesk(t)
	for _, heads := range []map[string]string{{"incident/other": "h1"}, {"edit/a": "h1", "incident/other": "h2"}} {
		d.heads = heads
		w.edits = []*editNotes{{edit: incident.Edit{Pull: d.pull}}}
		if err := e.answerEdit(t.Context(), w, incident.AnswerEdit{Pull: 9, Key: "k", Problem: "no"}); err != nil || w.edits[0].edit.Told != "k" {
			t.Fatal(err, w.edits[0].edit.Told)
		}
	}
	if !slices.Equal(d.checked, []string{"h1"}) {
		t.Errorf("checks on %v", d.checked)
	}
}

// TestEditsAfterThaw: once a branch was given back, an edit is read anew, and one that does not rest on that is not taken: the hub
// would neither show what strangers wrote beneath it nor say who they are.
func TestEditsAfterThaw(t *testing.T) {
	for name, c := range map[string]struct {
		sealed map[string]string
		taken  bool
	}{
		"it has the event":      {map[string]string{"now": "x", "h1": "x"}, true},
		"it began before":       {map[string]string{"now": "x"}, false},
		"somebody wrote one":    {map[string]string{"now": "x", "h1": "y"}, false},
		"nobody has it":         {nil, false},
		"only the edit has one": {map[string]string{"h1": "x"}, false},
	} {
		d, e, w := newDesk(t)
		if err := errors.Join(e.noteEdits(t.Context(), []proposal.Pull{d.proposal()}), e.lookAtEdits(t.Context(), w)); err != nil || w.edits[0].edit.Draft == nil {
			t.Fatal(err, w.edits[0].edit.Problem)
		}
		n, err := w.ledger.state.With(w.ledger.state.Next([]incident.Data{incident.Thawed{Disowned: []string{"s"}, Deed: incident.Deed{Via: "review", ID: 1}}}, w.ledger.state.At)...)
		if err != nil {
			t.Fatal(err)
		}
		w.ledger.state, w.ledger.remote, d.sealed = n, "now", c.sealed
		d.writers.Authors = append(d.writers.Authors, runbook.Author{ID: 14, Login: "mallory"})
		if !w.outdated(w.edits[0]) {
			t.Errorf("%s: what was read before counts", name)
		}
		if err := e.lookAtEdits(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		edit := w.edits[0].edit
		if taken := edit.Draft != nil; taken != c.taken || taken == strings.Contains(edit.Problem, "given back") || len(edit.Authors) != 3 || w.outdated(w.edits[0]) {
			t.Errorf("%s: %q by %v", name, edit.Problem, edit.Authors)
		}
	}
}

// TestEvaluatorIsNoVerdict: that the evaluator gives no answer is nothing wrong with an edit. It is asked again, ever less often, and
// not by every look; an edit that waits for that keeps nothing else, and a new head is read at once.
func TestEvaluatorIsNoVerdict(t *testing.T) {
	d, e, w := newDesk(t)
	d.clock.at = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	look := func() (incident.Edit, int) {
		t.Helper()
		before := d.loads
		if err := e.lookAtEdits(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		return w.edits[0].edit, d.loads - before
	}
	if err := e.noteEdits(t.Context(), []proposal.Pull{d.proposal()}); err != nil {
		t.Fatal(err)
	}
	d.stopped = errors.New("evaluation took too long: more than 2s")
	said := ""
	for i, pause := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 320 * time.Second, 10 * time.Minute, 10 * time.Minute} {
		edit, asked := look()
		if asked != 1 || edit.Draft != nil || len(edit.Problems) > 0 || !strings.Contains(edit.Problem, "gave no answer: evaluation took too long: more than 2s; it is asked again") {
			t.Fatalf("try %d: asked %d times: %q, %v", i+1, asked, edit.Problem, edit.Problems)
		}
		if said != "" && edit.Problem != said {
			t.Errorf("try %d is told anew: %q", i+1, edit.Problem)
		}
		said = edit.Problem
		d.clock.at = d.clock.at.Add(pause - time.Second)
		if _, asked := look(); asked != 0 {
			t.Errorf("try %d: asked again within %s", i+2, pause)
		}
		d.clock.at = d.clock.at.Add(time.Second)
	}
	d.clock.at = d.clock.at.Add(-24 * time.Hour) // it was wrong, and is set back
	d.stopped = nil
	if edit, asked := look(); asked != 1 || edit.Draft == nil || edit.Problem != "" || len(edit.Authors) != 2 {
		t.Errorf("once it answers: asked %d times, %+v", asked, edit)
	}
	if edit, asked := look(); asked != 0 || edit.Draft == nil {
		t.Errorf("what is known is asked again: %d times, %+v", asked, edit)
	}

	d.stopped = errors.New("start the evaluator: no memory")
	w.edits = nil
	if _, asked := look(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	d.pull.Head, d.writers.Head = "h2", "h2" // another commit, whose files the ledger does not have: nobody has to wait for it
	if edit, asked := look(); asked != 0 || w.edits[0].head != "h2" || w.edits[0].failed != 0 || edit.Problem == said {
		t.Errorf("a new head: %q at %s", edit.Problem, w.edits[0].head)
	}
}
