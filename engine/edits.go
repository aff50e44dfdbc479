package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// mostEdits bounds the open edits of one incident that are read: each costs requests at every look.
const mostEdits = 5

// editNotes is what a worker knows of one open edit.
type editNotes struct {
	edit   incident.Edit
	head   string    // that it was read at
	plan   string    // digest of the plan that it was held against
	thawed int       // the event that had given the branch back then: what others wrote to it before is nothing to rest on
	failed int       // how often the evaluator gave no answer about that head, one time after the other
	again  time.Time // from when it is asked once more, where it gave none
}

// errUnanswered says that the evaluator gave no answer: it could not be started, was killed, or took too long. That is nothing
// wrong with an edit.
var errUnanswered = errors.New("the evaluator gave no answer")

// Pauses before the evaluator is asked once more about an edit: each twice the one before. It may be the edit that it cannot be
// done with, and each try costs requests of the hub and up to the whole time of an evaluation.
const (
	firstPause   = 10 * time.Second
	longestPause = 10 * time.Minute
)

// unanswered notes that the evaluator gave no answer about an edit.
func (n *editNotes) unanswered(err error, now time.Time) {
	n.again = now.Add(min(firstPause<<min(n.failed, 10), longestPause))
	n.failed++
	n.edit.Draft, n.edit.Problem = nil, err.Error()+"; it is asked again, without a new commit"
}

// workedOut reports whether an edit need not be worked out again: it was, at its head, against the plan in force, or it is not
// yet time to try it once more. A clock that was set back makes nobody wait for longer.
func (w *worker) workedOut(n *editNotes, head string, now time.Time) bool {
	left := n.again.Sub(now)
	return n.head == head && n.plan == w.ledger.state.Plan && !w.outdated(n) && (n.failed == 0 || left > 0 && left <= longestPause)
}

// outdated reports whether an edit that may be taken was read before the branch was given back.
func (w *worker) outdated(n *editNotes) bool {
	state := w.ledger.state
	return n.head != "" && n.thawed != state.ThawedAt() && n.edit.Pull.Open && state.EditOf(n.edit.Pull.Number) == nil
}

// noteEdits remembers which open pull requests are against incidents' branches, and wakes the incidents of those that are new,
// have moved or are gone.
func (e *Engine) noteEdits(ctx context.Context, pulls []proposal.Pull) error {
	now := map[int]proposal.Pull{}
	for _, p := range pulls {
		if p.Base != "" {
			now[p.Number] = p
		}
	}
	e.mu.Lock()
	was := e.edits
	e.mu.Unlock()
	var wake []string
	for number, p := range now {
		if was[number] != p {
			wake = append(wake, p.Base)
		}
	}
	for number, p := range was {
		if _, open := now[number]; !open {
			wake = append(wake, p.Base)
		}
	}
	slices.Sort(wake)
	for _, branch := range slices.Compact(wake) {
		if err := e.Inbox.Put(ctx, Message{Kind: KindHub, Key: branch}); err != nil {
			return fmt.Errorf("wake %s for an edit: %w", branch, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.edits = now
	return nil
}

// editsOf lists the open edits of a branch that are read, by number. Those that can be taken come first: anybody may open a pull
// request from a fork, and keeps no other out by that.
func (e *Engine) editsOf(branch string) []proposal.Pull {
	e.mu.Lock()
	defer e.mu.Unlock()
	var edits, others []proposal.Pull
	for _, number := range slices.Sorted(maps.Keys(e.edits)) {
		switch p := e.edits[number]; {
		case p.Base != branch:
		case fromEditBranch(p.Fork, p.Branch):
			edits = append(edits, p)
		default:
			others = append(others, p)
		}
	}
	all := slices.Concat(edits, others)
	return all[:min(len(all), mostEdits)]
}

// fromEditBranch reports whether a pull request is from a branch that edits come from.
func fromEditBranch(fork bool, branch string) bool {
	return !fork && strings.HasPrefix(branch, incident.EditPrefix)
}

// lookAtEdits reads the open edits of an incident. Where there is none it asks nobody. One that cannot be read is not taken, and
// keeps the incident from nothing: it is read anew at the next look.
func (e *Engine) lookAtEdits(ctx context.Context, w *worker) error {
	before := w.edits
	w.edits = nil
	for _, p := range e.editsOf(w.branch) {
		n := &editNotes{}
		if i := slices.IndexFunc(before, func(b *editNotes) bool { return b.edit.Pull.Number == p.Number }); i >= 0 {
			n = before[i]
		}
		if err := e.readEdit(ctx, w, n, p); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("look at the edit of pull request %d: %w", p.Number, err)
			}
			e.Log.Warn("an edit of a plan cannot be read", "branch", w.branch, "pull", p.Number, "error", err)
			n.head, n.edit.Draft, n.edit.Problem = "", nil, "it cannot be read now, and is looked at again"
		}
		w.edits = append(w.edits, n)
	}
	return nil
}

// readEdit reads one edit, and what it would make of the plan unless that is known.
func (e *Engine) readEdit(ctx context.Context, w *worker, n *editNotes, p proposal.Pull) error {
	if w.frozen.plan.Edit == nil {
		n.edit.Pull = incident.Pull{Number: p.Number, Head: p.Head, Branch: p.Branch, Base: p.Base, Open: true}
		return nil
	}
	seen, err := e.Hub.Look(ctx, incident.HubQuery{Pull: p.Number, Teams: w.frozen.teams})
	switch {
	case err != nil:
		return err
	case seen.Pull == nil:
		n.edit.Pull.Open = false
		return nil
	}
	n.edit.Pull, n.edit.Reviews, n.edit.Comments = *seen.Pull, seen.Reviews, seen.Comments
	if seen.Pull.Base != w.branch {
		n.edit.Pull.Open = false // it is somebody else's by now
	}
	if !n.edit.Pull.Open || w.ledger.state.EditOf(p.Number) != nil || w.workedOut(n, seen.Pull.Head, e.Clock.Now()) {
		return nil
	}
	if n.head != seen.Pull.Head {
		n.failed = 0
	}
	n.edit.Problem, n.edit.Problems, n.edit.Draft, n.edit.Authors = "", nil, nil, nil
	switch err := e.draftEdit(ctx, w, &n.edit); {
	case errors.Is(err, errUnanswered):
		n.unanswered(err, e.Clock.Now())
		e.Log.Warn("an edit of a plan cannot be evaluated", "branch", w.branch, "pull", p.Number, "tries", n.failed, "error", err)
	case err != nil:
		return err
	default:
		n.failed = 0
	}
	n.head, n.plan, n.thawed = seen.Pull.Head, w.ledger.state.Plan, w.ledger.state.ThawedAt()
	return nil
}

// draftEdit works out the plan that an edit makes. What is wrong with the edit is in it; an error is one of the world.
func (e *Engine) draftEdit(ctx context.Context, w *worker, edit *incident.Edit) error {
	pull := edit.Pull
	if !fromEditBranch(pull.Fork, pull.Branch) {
		edit.Problem = "its branch is not one of this repository that begins with " + incident.EditPrefix
		return nil
	}
	if problem, err := e.editWriters(ctx, edit); err != nil || problem != "" {
		edit.Problem = problem
		return err
	}
	after, problem, err := e.editFiles(ctx, w, pull)
	if err != nil || problem != "" {
		edit.Problem = problem
		return err
	}
	commit := w.ledger.state.Opened.Commit
	all, err := e.cue(ctx, commit)
	if err != nil {
		return err
	}
	src := w.frozen.source
	src.Files, src.Others = after, others(all, after, strings.HasPrefix(w.ledger.state.Opened.Runbook, embedded))
	plan, problems, err := e.loadPinned(ctx, src, commit)
	switch {
	case ctx.Err() != nil || errors.Is(err, errUnread):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if len(problems) == 0 {
		edit.Draft, problems, err = w.editDraft(plan, after)
	}
	edit.Problems = problems
	return err
}

// others are further files of the ledger that a changed runbook may mean.
func others(all, own map[string][]byte, embedded bool) map[string][]byte {
	out := maps.Clone(all)
	if embedded {
		out = withoutRunbooks(out)
	}
	maps.DeleteFunc(out, func(name string, _ []byte) bool { return own[name] != nil })
	return out
}

// editWriters asks who wrote an edit. Where that cannot be told of all of it, nobody could tell who may not approve it.
func (e *Engine) editWriters(ctx context.Context, edit *incident.Edit) (problem string, err error) {
	pull := edit.Pull
	who, err := e.Reviewing.Hub.Writers(ctx, pull.Number)
	switch {
	case err != nil:
		return "", err
	case who.Head != pull.Head:
		return "", fmt.Errorf("its head is %s and was %s just now", who.Head, pull.Head)
	case who.Base != pull.Base: // against another branch other commits are its own, and other people wrote them
		return "", fmt.Errorf("it is against %s and was against %s just now", who.Base, pull.Base)
	case who.Unmapped != "":
		return who.Unmapped + " is by somebody whom the hub does not know, so nobody can tell who may approve it", nil
	}
	all := append([]runbook.Author{{ID: pull.By.ID, Login: pull.By.Login, By: "opened it"}}, who.Authors...)
	for _, a := range all {
		if !slices.ContainsFunc(edit.Authors, func(b runbook.Author) bool { return a.ID == b.ID }) {
			edit.Authors = append(edit.Authors, a)
		}
	}
	return "", nil
}

// editFiles are the sources of the plan with the files of an edit in their places. Only files that the plan has may be changed.
func (e *Engine) editFiles(ctx context.Context, w *worker, pull incident.Pull) (after map[string][]byte, problem string, err error) {
	changes, err := e.Reviewing.Hub.Changes(ctx, proposal.Pull{Number: pull.Number, Head: pull.Head, Base: w.branch})
	if errors.Is(err, proposal.ErrTooLarge) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	dir := journal.PlanDir(w.ledger.state.Opened.ID.Dir())
	var changed []string
	for _, c := range changes {
		name, inside := strings.CutPrefix(c.Path, dir)
		if problem := w.editable(c, name, inside); problem != "" {
			return nil, c.Path + ": " + problem, nil
		}
		changed = append(changed, name)
	}
	if problem, err := e.restsOnOthers(ctx, w, pull); err != nil || problem != "" {
		return nil, problem, err
	}
	head, err := e.Ledger.Files(ctx, pull.Head, strings.TrimSuffix(dir, "/"))
	if err != nil {
		return nil, "", fmt.Errorf("read its files at %s: %w", pull.Head, err)
	}
	after = maps.Clone(w.frozen.source.Files)
	for name, old := range w.frozen.files {
		now, there := head[dir+name]
		switch same := there && bytes.Equal(now.Data, old); {
		case same:
		case !slices.Contains(changed, name):
			return nil, "the plan was edited since its branch began; merge " + w.branch + " into it, and look at it again", nil
		default:
			after[name] = now.Data
		}
	}
	if maps.EqualFunc(after, w.frozen.source.Files, bytes.Equal) {
		return nil, "it changes nothing of the plan", nil
	}
	return after, "", nil
}

// restsOnOthers says why an edit may rest on what others wrote to the incident's branch before it was given back, or nothing. The
// hub takes their commits for the base of such an edit: it neither shows what they changed nor names who wrote them. One that
// rests on the branch as it is since has the event that gave it back.
func (e *Engine) restsOnOthers(ctx context.Context, w *worker, pull incident.Pull) (problem string, err error) {
	state := w.ledger.state
	if !state.GivenBack() {
		return "", nil
	}
	seal := journal.Path(state.Opened.ID.Dir(), state.ThawedAt(), incident.Thawed{}.Kind())
	ours, err := e.Ledger.Files(ctx, w.ledger.remote, seal)
	if err != nil {
		return "", fmt.Errorf("read %s at %s: %w", seal, w.ledger.remote, err)
	}
	theirs, err := e.Ledger.Files(ctx, pull.Head, seal)
	if err != nil {
		return "", fmt.Errorf("read %s at %s: %w", seal, pull.Head, err)
	}
	if own, there := ours[seal]; !there || !bytes.Equal(own.Data, theirs[seal].Data) {
		return "its branch began before that of the incident was given back to the engine; merge " + w.branch + " into it, and look at it again", nil
	}
	return "", nil
}

// editable says why an edit may not make a change, or nothing.
func (w *worker) editable(c proposal.Change, name string, inside bool) string {
	_, known := w.frozen.source.Files[name]
	switch {
	case !inside:
		return "an edit changes nothing but files of the plan"
	case name == orgFile:
		return "the organisation's rules stay as they were when the incident was opened"
	case name == journal.PlanFile || name == journal.SchemaFile:
		return "the engine makes it"
	case c.Gone || !known:
		return "an edit changes files of the plan; it adds none, and takes none away"
	case c.Mode:
		return "files of the plan are plain files"
	}
	return ""
}

// editDraft holds the plan that an edit makes against the one in force.
func (w *worker) editDraft(plan runbook.Plan, after map[string][]byte) (*incident.EditDraft, []runbook.Problem, error) {
	was := w.frozen.written
	plan.Edits = was.Edits + 1
	edit, problems := runbook.Compare(was, plan, w.frozen.source.Files, after)
	if len(problems) > 0 {
		for i := range problems {
			if problems[i].File == "" {
				problems[i].File = w.frozen.source.Runbook
			}
		}
		return nil, problems, nil
	}
	static, err := planText(plan)
	if err != nil {
		return nil, nil, err
	}
	d := &incident.EditDraft{Edit: edit, Plan: plan, Was: w.ledger.state.Plan, Diff: runbook.Diff(w.frozen.source.Files, after), Files: map[string][]byte{journal.PlanFile: static}}
	whole := maps.Clone(w.frozen.files)
	for name, text := range after {
		if !bytes.Equal(text, w.frozen.files[name]) {
			d.Files[name] = text
		}
	}
	maps.Copy(whole, d.Files)
	d.Digest = journal.PlanDigest(whole)
	return d, nil, nil
}

// planText is the content of the plan's file.
func planText(plan runbook.Plan) ([]byte, error) {
	static, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the plan %s: %w", plan.Name, err)
	}
	return append(static, '\n'), nil
}

// openEdits are those that the core is to know of.
func (w *worker) openEdits() (out []incident.Edit) {
	for _, n := range w.edits {
		if n.edit.Pull.Open {
			out = append(out, n.edit)
		}
	}
	return out
}

// edited puts the plan that a commit has changed in the place of the one before.
func (w *worker) edited(changed map[string][]byte) error {
	files := maps.Clone(w.frozen.files)
	maps.Copy(files, changed)
	return w.freeze(w.frozen.first, w.ledger.state.Opened, files)
}

// confirmEdit reads the reviews of an edit again, and fails unless it still has its approvals.
func (e *Engine) confirmEdit(ctx context.Context, w *worker, c *incident.EditConfirm) error {
	if c == nil {
		return nil
	}
	seen, err := e.Hub.Look(ctx, incident.HubQuery{Pull: c.Pull, Teams: w.frozen.teams})
	if err != nil {
		return fmt.Errorf("read the reviews of pull request %d again: %w", c.Pull, err)
	}
	if why := c.Holds(seen); why != "" || seen.Pull.Base != w.branch {
		return fmt.Errorf("%w: %s", errWithdrawn, why)
	}
	return nil
}

// answerEdit says on the head of an edit how it stands.
func (e *Engine) answerEdit(ctx context.Context, w *worker, a incident.AnswerEdit) error {
	for _, n := range w.edits {
		if n.edit.Pull.Number != a.Pull {
			continue
		}
		id := w.ledger.state.Opened.ID
		if err := e.reportEdit(ctx, render.Edit(id, n.edit, a, journal.PlanDir(id.Dir()))); err != nil {
			return err
		}
		n.edit.Told = a.Key
	}
	return nil
}

// reportEdit publishes the check of an edit on its head. Where that is the head of an incident it gets none, as a proposal does:
// the hub would take it for the incident's own.
func (e *Engine) reportEdit(ctx context.Context, check proposal.Check) error {
	heads, err := e.Ledger.Heads(ctx)
	if err == nil && !standsOn(check.Pull.Head, heads) {
		err = e.Reviewing.Hub.Report(ctx, check)
	}
	if err != nil {
		return fmt.Errorf("answer the edit of pull request %d: %w", check.Pull.Number, err)
	}
	return nil
}

// standsOn reports whether a commit is the head of an incident.
func standsOn(commit string, heads map[string]string) bool {
	for branch, head := range heads {
		if head == commit && strings.HasPrefix(branch, incident.BranchPrefix) {
			return true
		}
	}
	return false
}

// closeEdit says on the pull request of an edit and on its head that it was taken, and closes it. What a crash leaves undone is
// seen again, since the pull request is open.
func (e *Engine) closeEdit(ctx context.Context, w *worker, a incident.CloseEdit) error {
	taken := w.ledger.state.EditOf(a.Pull)
	if taken == nil {
		return nil // unreachable: the core closes what the journal has
	}
	if text := taken.TakenText(); !a.Commented {
		for _, n := range w.edits {
			if n.edit.Pull.Number != a.Pull {
				continue
			}
			if err := e.reportEdit(ctx, render.EditTaken(w.ledger.state.Opened.ID, n.edit.Pull, *taken)); err != nil {
				return err
			}
		}
		if err := e.Hub.Publish(ctx, incident.Publication{Pull: a.Pull, Comment: &text}); err != nil {
			return fmt.Errorf("say that the edit of pull request %d was taken: %w", a.Pull, err)
		}
	}
	if err := e.Hub.Publish(ctx, incident.Publication{Pull: a.Pull, Close: true}); err != nil {
		return fmt.Errorf("close pull request %d: %w", a.Pull, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.edits = maps.Clone(e.edits)
	delete(e.edits, a.Pull)
	w.edits = slices.DeleteFunc(slices.Clone(w.edits), func(n *editNotes) bool { return n.edit.Pull.Number == a.Pull })
	return nil
}
