package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// KindChild is a message that opens the incident of a step. Key: its branch; Body: Order. It may be lost or come twice: the
// parent's look orders again what git does not show, and a branch is created once.
const KindChild = "child"

// Order is the body of a KindChild message.
type Order struct {
	Parent  incident.Parent `json:"parent"`
	Alert   incident.Alert  `json:"alert"`  // the parent's, as it was opened for
	Commit  string          `json:"commit"` // at which the parent was frozen: what was approved is what runs
	Runbook string          `json:"runbook"`
	Inputs  json.RawMessage `json:"inputs,omitempty"`

	Rehearsal *incident.Rehearsal `json:"rehearsal,omitempty"` // the incident is one, as the parent is
}

// report is what others may know of an incident without waiting for its lock: what the remote branch has.
type report struct {
	state incident.State
	pull  incident.Pull // the number and the address, as soon as they are known
	stuck string        // why nothing runs, as a part of a sentence; empty as a rule
}

// tell makes what is known of an incident visible to its parent and its children. state is what the remote branch has.
func (w *worker) tell(state incident.State) {
	r := report{state: state, pull: incident.Pull{Number: state.Pull, URL: state.PullURL}}
	if w.hub != nil && w.hub.Pull != nil {
		r.pull.Number, r.pull.URL = w.hub.Pull.Number, w.hub.Pull.URL
	}
	switch n := w.ledger; {
	case n.foreign != nil:
		r.stuck = "its branch holds a commit that is not the engine's"
	case n.gone:
		r.stuck = "its branch was deleted, moved back or rewritten by somebody else"
	}
	w.report.Store(&r)
}

// retell makes what the hub says of an incident visible, where nothing new is on the remote branch.
func (w *worker) retell() {
	if told := w.report.Load(); told != nil && w.ledger != nil {
		w.tell(told.state)
	}
}

// wakeParent puts a look at the incident that opened this one, if there is one.
func (e *Engine) wakeParent(ctx context.Context, p *incident.Parent) error {
	if p == nil {
		return nil
	}
	return e.wakeRelative(ctx, p.Incident)
}

func (e *Engine) wakeRelative(ctx context.Context, id incident.ID) error {
	if err := e.Inbox.Put(ctx, Message{Kind: KindLook, Key: id.Branch()}); err != nil {
		return fmt.Errorf("wake incident %s: %w", id, err)
	}
	return nil
}

// order puts the message that opens the incident of a step, unless it is on its way.
func (e *Engine) order(ctx context.Context, w *worker, a incident.OpenChild) error {
	key, opened := a.Parent.Key(), w.ledger.state.Opened
	if w.ordered[key] {
		return nil
	}
	body, err := json.Marshal(Order{Parent: a.Parent, Alert: opened.Alert, Commit: opened.Commit, Runbook: a.Work.Name, Inputs: a.Work.With,
		Rehearsal: forChild(opened.Rehearsal, a.Parent.Step)})
	if err != nil {
		return fmt.Errorf("encode the order of %s: %w", key, err)
	}
	if err := e.Inbox.Put(ctx, Message{Kind: KindChild, Key: incident.BranchPrefix + incident.ChildSlot(key), Body: body}); err != nil {
		return fmt.Errorf("order the incident of %s: %w", key, err)
	}
	if w.ordered == nil {
		w.ordered = map[string]bool{}
	}
	w.ordered[key] = true
	return nil
}

// openChild acts on an order: it freezes the runbook where the parent was frozen, and creates the branch. Whoever finds the
// branch, or the merged incident, does nothing.
func (e *Engine) openChild(ctx context.Context, o Order) error {
	key := o.Parent.Key()
	slot := incident.ChildSlot(key)
	w := e.worker(incident.BranchPrefix + slot)
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := e.Clock.Now()
	kin, err := e.find(ctx, slot)
	switch {
	case err != nil:
		return fmt.Errorf("open the incident of %s: %w", key, err)
	case kin != nil:
		return e.wakeParent(ctx, &o.Parent)
	}
	if e.unwanted(o.Parent) {
		e.drop(w)
		return e.wakeParent(ctx, &o.Parent)
	}
	if err := e.checkFree(ctx, w.branch); err != nil {
		return fmt.Errorf("open the incident of %s: %w", key, err)
	}
	d, problem, err := e.childDraft(ctx, o)
	if err != nil {
		return fmt.Errorf("open the incident of %s: %w", key, err)
	}
	if problem != "" {
		e.refuse(key, problem)
		e.drop(w)
		return e.wakeParent(ctx, &o.Parent)
	}
	files, opened, err := e.frozenFiles(incident.NewID(slot, e.Clock.Now()), d)
	if err != nil {
		return err
	}
	parent := o.Parent
	opened.Group, opened.Alert, opened.Commit, opened.Parent = incident.ChildGroup(key), o.Alert, o.Commit, &parent
	opened.Rehearsal = o.Rehearsal
	if err := e.create(ctx, w, opened, files, asked); err != nil {
		return err
	}
	return e.look(ctx, w, false, nil)
}

// childDraft loads the runbook of an order. A problem is one that every look at the same commit would find.
func (e *Engine) childDraft(ctx context.Context, o Order) (d draft, problem string, err error) {
	files, err := e.cue(ctx, o.Commit)
	if err != nil {
		return d, "", err
	}
	name, there := runbook.Find(files, o.Runbook)
	d = draft{runbook: name, why: fmt.Sprintf("it was opened by step %s of incident %s", o.Parent.Step, o.Parent.Incident)}
	if !there {
		return d, fmt.Sprintf("there is no runbook %s at commit %s", o.Runbook, o.Commit), nil
	}
	d.source = runbook.SourceOf(files, d.runbook)
	d.source.Inputs = given(o.Inputs)
	plan, problems, err := e.loadPinned(ctx, d.source, o.Commit)
	switch {
	case err != nil:
		return d, "", err
	case len(problems) > 0:
		return d, fmt.Sprintf("the runbook %s cannot be used: %s", o.Runbook, problems[0]), nil
	}
	d.plan, d.source = plan, d.source.Of(plan)
	return d, "", nil
}

// unwanted reports whether the parent is known not to wait for the incident of an order any more.
func (e *Engine) unwanted(p incident.Parent) bool {
	w := e.known(p.Incident.Branch())
	if w == nil {
		return false
	}
	told := w.report.Load()
	return told != nil && told.state.Recall(p.Step, p.Attempt, e.Clock.Now()) != nil
}

// refuse remembers why an order cannot be carried out. It is forgotten with the process, and found out again.
func (e *Engine) refuse(key, problem string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused[key] = problem
}

func (e *Engine) refusal(key string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.refused[key]
}

// known returns the worker of a branch, nil if nobody remembers it.
func (e *Engine) known(branch string) *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.workers[branch]
}

// kin is another incident, as git has it.
type kin struct {
	report
	merged bool
}

// find reads an incident by its slot from git: from its open branch, or from its directory after the merge. Nil: there is none.
func (e *Engine) find(ctx context.Context, slot string) (*kin, error) {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the ledger's branches: %w", err)
	}
	tip, branch := heads[e.DefaultBranch], incident.BranchPrefix+slot
	if heads[branch] != "" {
		return e.findOpen(ctx, branch, tip)
	}
	merged, err := e.Ledger.Incidents(ctx, tip)
	if err != nil {
		return nil, fmt.Errorf("list the merged incidents: %w", err)
	}
	i := slices.IndexFunc(merged, func(id incident.ID) bool { return id.Slot() == slot })
	if i < 0 {
		return nil, nil
	}
	return e.findMerged(ctx, merged[i], tip)
}

func (e *Engine) findOpen(ctx context.Context, branch, tip string) (*kin, error) {
	if w := e.known(branch); w != nil {
		if told := w.report.Load(); told != nil {
			return &kin{report: *told}, nil
		}
	}
	b, err := e.Ledger.Branch(ctx, BranchQuery{Name: branch, DefaultTip: tip})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", branch, err)
	}
	w := &worker{branch: branch} // nobody else sees it: it is read, and forgotten
	if err := w.take(b); err != nil {
		if errors.Is(err, errNoIncident) {
			return &kin{report: report{stuck: "the branch " + branch + " holds no incident of the engine's"}}, nil
		}
		return nil, err
	}
	return &kin{report: *w.report.Load()}, nil
}

func (e *Engine) findMerged(ctx context.Context, id incident.ID, tip string) (*kin, error) {
	tree, err := e.Ledger.Files(ctx, tip, id.Dir()+"/journal")
	if err != nil {
		return nil, fmt.Errorf("read the merged incident %s: %w", id, err)
	}
	files := make(map[string][]byte, len(tree))
	for path, f := range tree {
		files[path] = f.Data
	}
	events, _, err := journal.Decode(id.Dir(), files)
	if err != nil {
		return nil, fmt.Errorf("decode the journal of the merged incident %s: %w", id, err)
	}
	state, err := incident.Fold(events)
	if err != nil {
		return nil, fmt.Errorf("fold the journal of the merged incident %s: %w", id, err)
	}
	return &kin{report: report{state: state, pull: incident.Pull{Number: state.Pull, URL: state.PullURL}}, merged: true}, nil
}

// pinChildren gives each step that opens a runbook the files of that runbook, and of all that it opens in turn, so that
// they are on its gate page: who approves the step approves what will run.
func (e *Engine) pinChildren(ctx context.Context, src runbook.Source, plan *runbook.Plan, tip string) ([]runbook.Problem, error) {
	for i := range plan.Steps {
		step := &plan.Steps[i]
		if step.Runbook == "" {
			continue
		}
		files, problems, err := e.childFiles(ctx, src, step.Runbook, tip)
		if err != nil || len(problems) > 0 {
			return problems, err
		}
		step.Files = files
	}
	return nil, nil
}

// childFiles lists the files that a runbook of the ledger, and those that it opens, are made of and use, sorted.
func (e *Engine) childFiles(ctx context.Context, src runbook.Source, name, tip string) ([]runbook.File, []runbook.Problem, error) {
	found := map[string]runbook.File{}
	seen := map[string]bool{}
	for left := []string{name}; len(left) > 0; left = left[1:] {
		file, _ := runbook.Find(src.Others, left[0]) // that it is there was looked at
		if seen[file] {
			continue
		}
		seen[file] = true
		plan, problems, err := e.load(ctx, runbook.SourceOf(src.Others, file), tip)
		if err != nil || len(problems) > 0 {
			return nil, problems, err
		}
		for _, source := range plan.Sources {
			found[source] = runbook.File{Path: source}
		}
		for _, s := range plan.Steps {
			for _, f := range s.Files {
				f.Exec = f.Exec || found[f.Path].Exec
				found[f.Path] = f
			}
			if s.Runbook != "" {
				left = append(left, s.Runbook)
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b runbook.File) int { return strings.Compare(a.Path, b.Path) }), nil, nil
}
