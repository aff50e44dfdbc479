package engine

import (
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
	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	embedded   = "embedded:"          // before the path of a runbook that is not the ledger's
	orgFile    = runbook.Organisation // of the ledger: people and policy
	moduleFile = "cue.mod/module.cue" // of the ledger: what its packages are called
	runbookDir = runbook.Dir
)

// atOnce is how long an opening may take for which nobody else can have opened the incident meanwhile, and somebody deleted its
// branch. Another engine cannot have the lease until much more time has gone by.
const atOnce = 10 * time.Second

// maxOpenings bounds how often an opening that collides is tried within one message.
const maxOpenings = 5

// arrive turns an alert into an incident, or records it in the open one of its group. It returns nil only when the alert
// is on the remote branch, or when there is nothing to record it in.
func (e *Engine) arrive(ctx context.Context, a Arrival) error {
	for range maxOpenings {
		place, err := e.locate(ctx, a.Alert)
		if err != nil {
			return fmt.Errorf("find the incident of group %s: %w", a.Alert.Group, err)
		}
		told, err := e.dealtWith(ctx, a, place)
		if err != nil {
			return fmt.Errorf("look whether an alert of group %s was dealt with: %w", a.Alert.Group, err)
		}
		if told != "" {
			e.Log.Info("alert needs nothing", "group", a.Alert.Group, "why", fmt.Sprintf("%s recorded it before it ended", told))
			return nil
		}
		if place.open != nil {
			if a.Asked && place.open.report.Load().state.Tells(a.Alert) {
				return nil
			}
			return e.update(ctx, place.open, a.Alert)
		}
		if a.Alert.Status == incident.ResolvedNow {
			e.Log.Info("alert needs nothing", "group", a.Alert.Group, "why", "it is resolved and no incident is open for it")
			return nil
		}
		err = e.openAfter(ctx, a, place)
		if !errors.Is(err, ErrMoved) {
			return err
		}
		e.Log.Info("opening collided, looking again", "group", a.Alert.Group)
	}
	return fmt.Errorf("open an incident for group %s: collided %d times", a.Alert.Group, maxOpenings)
}

// openAfter opens an incident while nobody can reopen the one before it, if that has a branch still: a person's /reopen and a
// new alert must not both make an incident of the group that is open.
func (e *Engine) openAfter(ctx context.Context, a Arrival, p place) error {
	before := p.before
	if before == nil {
		return e.open(ctx, a, p)
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	err := e.read(ctx, before)
	switch {
	case errors.Is(err, errNoIncident): // it was merged, or somebody deleted it
		return e.open(ctx, a, p)
	case err != nil:
		return fmt.Errorf("look at the incident before it: %w", err)
	case before.ledger.state.Takes(a.Alert):
		return fmt.Errorf("%s was reopened just now: %w", before.branch, ErrMoved)
	}
	return e.open(ctx, a, p)
}

// place is where an alert group stands in the ledger.
type place struct {
	open     *worker         // the group's incident that the alert belongs to, if there is one
	slot     string          // for a new one
	previous incident.ID     // the group's latest incident, empty for the first
	before   *worker         // of that incident, while it has a branch
	ended    *incident.State // what that one's journal says then
	tip      string          // of the default branch
	asked    time.Time       // when
}

// locate follows the group's chain of incidents: each slot is derived from the one before, so names alone tell which
// exist. An incident whose problem is over still takes what concerns that problem; the problem coming back is a new one.
func (e *Engine) locate(ctx context.Context, a incident.Alert) (place, error) {
	asked := e.Clock.Now()
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return place{}, err
	}
	p := place{tip: heads[e.DefaultBranch], asked: asked}
	merged, err := e.Ledger.Incidents(ctx, p.tip)
	if err != nil {
		return place{}, err
	}
	bySlot := make(map[string]incident.ID, len(merged))
	for _, id := range merged {
		bySlot[id.Slot()] = id
	}
	for {
		p.slot = incident.Slot(a.Group, p.previous)
		if id, ok := bySlot[p.slot]; ok {
			p.previous, p.before, p.ended = id, nil, nil
			continue
		}
		branch := incident.BranchPrefix + p.slot
		if heads[branch] == "" {
			return p, e.checkFree(ctx, branch)
		}
		w := e.worker(branch)
		s, err := e.standing(ctx, w, heads[branch])
		if err != nil {
			return place{}, err
		}
		if s.Takes(a) {
			p.open = w
			return p, nil
		}
		p.previous, p.before, p.ended = s.Opened.ID, w, &s
	}
}

// checkFree fails for a branch that is not there although its incident is: one that somebody deleted. To begin it again
// would do what it did a second time. Its pull request shows that it was there.
func (e *Engine) checkFree(ctx context.Context, branch string) error {
	seen, err := e.Hub.Look(ctx, incident.HubQuery{Branch: branch})
	switch {
	case err != nil:
		return fmt.Errorf("look for an earlier pull request of %s: %w", branch, err)
	case seen.Pull == nil:
		return nil
	case seen.Pull.Merged:
		return fmt.Errorf("pull request %d of %s was merged just now: %w", seen.Pull.Number, branch, ErrMoved)
	}
	return fmt.Errorf("somebody deleted %s, and its incident has not ended; restore the branch on pull request %d", branch, seen.Pull.Number)
}

// standing reads what the journal on the remote branch says. What is local may never get there: another incident must not be
// opened because of it. Where the branch is not at head any more as far as this engine knows, it is read anew.
func (e *Engine) standing(ctx context.Context, w *worker, head string) (incident.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ledger != nil && w.ledger.remote != head {
		e.forget(w) // another engine has gone on with it
	}
	if err := e.read(ctx, w); err != nil {
		return incident.State{}, err
	}
	return w.report.Load().state, nil
}

// update records an alert in the open incident of its group.
func (e *Engine) update(ctx context.Context, w *worker, a incident.Alert) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.look(ctx, w, false, []incident.Alert{a}); err != nil {
		return err
	}
	if w.ledger == nil || !w.ledger.state.Known[a.Digest()] || w.ledger.pushed < w.ledger.state.Seq {
		return fmt.Errorf("record an alert of group %s in %s: not recorded yet", a.Group, w.branch)
	}
	return nil
}

// errUnread says that a file of the ledger could not be read now. That is nothing wrong with a runbook: the alert waits.
var errUnread = errors.New("the ledger cannot be read")

// draft is a plan that is about to be frozen.
type draft struct {
	source   runbook.Source
	plan     runbook.Plan
	runbook  string // as it is recorded
	why      string
	problems []string
}

// open freezes a plan and creates the branch. The old id zero of the push makes two openings of one problem collide.
func (e *Engine) open(ctx context.Context, a Arrival, p place) error {
	d, err := e.draft(ctx, a, p.tip)
	if err != nil {
		return err
	}
	id := incident.NewID(p.slot, e.Clock.Now())
	files, opened, err := e.frozenFiles(id, d)
	if err != nil {
		return err
	}
	opened.Group, opened.Previous, opened.Alert, opened.Commit = a.Alert.Group, p.previous, a.Alert, p.tip
	opened.Rehearsal = e.Rehearsal
	w := e.worker(id.Branch())
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.create(ctx, w, opened, files, p.asked); err != nil {
		return err
	}
	return e.look(ctx, w, false, nil)
}

// create commits and pushes the opening. asked is when it was seen that there was none.
func (e *Engine) create(ctx context.Context, w *worker, opened incident.Opened, files map[string][]byte, asked time.Time) error {
	state, events, err := begin(opened, e.Clock)
	if err != nil {
		return err
	}
	var static runbook.Plan
	if err := json.Unmarshal(files[journal.PlanFile], &static); err != nil {
		return fmt.Errorf("read back the plan of %s: %w", opened.ID, err)
	}
	dir := opened.ID.Dir()
	entries, chain, err := journal.Encode(dir, journal.Head{}, events)
	if err != nil {
		return fmt.Errorf("encode the opening of %s: %w", opened.ID, err)
	}
	for p, data := range files {
		entries[journal.PlanDir(dir)+p] = data
	}
	entries[journal.IdentityPath(dir)] = journal.Identity(opened)
	e.Journal.Discard(w.branch)
	sha, err := e.Journal.Append(ctx, NewCommit{Branch: w.branch, Parent: opened.Commit, Create: true, Files: entries,
		Message: journal.Message(events, journal.MessageFacts{Incident: opened.ID, Plan: static, Rehearsal: opened.Rehearsal != nil}), At: state.At})
	if err != nil {
		return fmt.Errorf("commit the opening of %s: %w", opened.ID, err)
	}
	w.ledger = &notes{events: events, state: state, chain: chain, head: sha, commits: map[string]int{sha: state.Seq}}
	w.hub = &incident.HubView{Checks: map[string]bool{}} // a branch that is just being created has no pull request
	if err := w.freeze(origin{plan: static, files: files}, opened, files); err != nil {
		return err
	}
	if err := e.flush(ctx, w, incident.Flush{Why: "the opening"}); err != nil {
		return err
	}
	return e.checkOpened(ctx, w, asked)
}

// checkOpened makes sure that what was opened is the first of its name: the default branch may have got another one since
// it was read. Then nothing of this one runs. Where much time has gone by since it was seen that there was none, the branch may
// be free because somebody deleted it: then the hub is asked for an earlier pull request before anything else happens.
func (e *Engine) checkOpened(ctx context.Context, w *worker, asked time.Time) error {
	if took := e.Clock.Now().Sub(asked); took < 0 || took > atOnce {
		w.hub = nil
	}
	heads, err := e.Ledger.Heads(ctx)
	if err == nil && heads[e.DefaultBranch] != w.ledger.state.Opened.Commit {
		err = e.checkNew(ctx, w.branch, heads[e.DefaultBranch])
	}
	if err != nil {
		e.forget(w)
		return fmt.Errorf("look whether %s is new: %w", w.branch, err)
	}
	return nil
}

func begin(opened incident.Opened, clock Clock) (incident.State, []incident.Event, error) {
	var empty incident.State
	events, err := normal(empty.Next([]incident.Data{opened}, clock.Now()))
	if err != nil {
		return empty, nil, err
	}
	state, err := incident.Fold(events)
	return state, events, err
}

// draft chooses and loads the runbook. One that is wrong does not lose the alert: the triage runbook takes it and says so.
func (e *Engine) draft(ctx context.Context, a Arrival, tip string) (draft, error) {
	alert, err := json.Marshal(a.Alert)
	if err != nil {
		return draft{}, fmt.Errorf("encode the alert of group %s: %w", a.Alert.Group, err)
	}
	files, err := e.cue(ctx, tip)
	if err != nil {
		return draft{}, err
	}
	route, err := e.route(ctx, files, alert, a.Runbook)
	for range maxFetches {
		more, missing := e.fetch(ctx, files, route.Problems, tip)
		if err != nil || missing != nil {
			return draft{}, errors.Join(err, missing)
		}
		if !more {
			break
		}
		route, err = e.route(ctx, files, alert, a.Runbook)
	}
	d := draft{runbook: route.Runbook, why: route.Why, problems: sentences(route.Problems)}
	if _, there := runbook.Find(files, d.runbook); there && d.runbook != "" {
		d.source = runbook.SourceOf(files, d.runbook)
		d.source.Inputs = given(a.Inputs)
		plan, problems, err := e.loadPinned(ctx, d.source, tip)
		if err == nil && len(problems) == 0 {
			d.plan, d.source = plan, d.source.Of(plan)
			return d, nil
		}
		if errors.Is(err, errUnread) {
			return d, err
		}
		if err != nil {
			problems = []runbook.Problem{{File: d.runbook, Text: err.Error()}}
		}
		d.problems = append(d.problems, sentences(problems)...)
		d.why = "the runbook " + d.runbook + " cannot be used; triage instead"
	}
	return e.triage(ctx, d, files, tip)
}

// route asks which runbook an alert belongs to. A routing that fails altogether is a problem to record, not a loss.
func (e *Engine) route(ctx context.Context, files map[string][]byte, alert json.RawMessage, chosen string) (runbook.Route, error) {
	if chosen != "" {
		name, there := runbook.Find(files, chosen)
		if !there {
			return runbook.Route{Why: "chosen by a person", Problems: []runbook.Problem{{File: runbookPath(name), Text: "there is no such runbook on the default branch"}}}, nil
		}
		return runbook.Route{Runbook: name, Why: "chosen by a person"}, nil
	}
	route, err := e.Eval.Route(ctx, files, alert)
	switch {
	case ctx.Err() != nil:
		return route, fmt.Errorf("route the alert: %w", ctx.Err())
	case err != nil:
		return runbook.Route{Why: "routing failed; triage instead", Problems: []runbook.Problem{{File: runbookDir, Text: err.Error()}}}, nil
	}
	return route, nil
}

// triage is the runbook of last resort: the engine's own, with the ledger's policy left out if even that stands in the way.
func (e *Engine) triage(ctx context.Context, d draft, files map[string][]byte, tip string) (draft, error) {
	d.runbook = embedded + e.Triage.Runbook
	for _, org := range []bool{true, false} {
		src := runbook.Source{Runbook: e.Triage.Runbook, Files: pick(e.Triage.Files, e.Triage.Runbook)}
		if org && files[orgFile] != nil {
			src.Files[orgFile], src.Others = files[orgFile], withoutRunbooks(files)
		}
		plan, problems, err := e.load(ctx, src, tip)
		if err == nil && len(problems) == 0 {
			d.source, d.plan = src.Of(plan), plan
			return d, nil
		}
		if err != nil && (ctx.Err() != nil || errors.Is(err, errUnread)) {
			return d, fmt.Errorf("load the triage runbook: %w", err)
		}
		d.problems = append(d.problems, sentences(problems)...)
		if err != nil {
			d.problems = append(d.problems, err.Error())
		}
	}
	return d, errors.New("the triage runbook cannot be loaded: " + strings.Join(d.problems, "; "))
}

// loadPinned loads a runbook and pins the files that its steps use to their blobs at the frozen commit.
func (e *Engine) loadPinned(ctx context.Context, src runbook.Source, tip string) (runbook.Plan, []runbook.Problem, error) {
	plan, problems, err := e.load(ctx, src, tip)
	if err != nil || len(problems) > 0 {
		return plan, problems, err
	}
	if problems, err = e.pinChildren(ctx, src, &plan, tip); err != nil || len(problems) > 0 {
		return plan, problems, err
	}
	for i := range plan.Steps {
		step := &plan.Steps[i]
		pinned := map[string]runbook.File{}
		for _, f := range step.Files {
			found, err := e.Ledger.Files(ctx, tip, f.Path)
			if err != nil {
				return plan, nil, fmt.Errorf("%w: %s at %s: %w", errUnread, f.Path, tip, err)
			}
			if text := unfit(f, found); text != "" {
				problems = append(problems, runbook.Problem{File: src.Runbook, Path: "steps." + step.Name, Text: text})
				continue
			}
			for path, file := range found {
				pinned[path] = runbook.File{Path: path, Blob: file.Blob, Exec: file.Exec}
			}
		}
		step.Files = slices.SortedFunc(maps.Values(pinned), func(a, b runbook.File) int { return strings.Compare(a.Path, b.Path) })
	}
	if len(problems) > 0 {
		return plan, problems, nil
	}
	problems, err = e.ownCode(ctx, src, &plan, tip)
	return plan, problems, err
}

// mostFiles bounds the files of one directory that a step uses.
const mostFiles = 500

// unfit says why what is found at a path is not what a step can use, or nothing.
func unfit(f runbook.File, found map[string]File) string {
	_, file := found[f.Path]
	switch {
	case file:
		return ""
	case !f.Tree:
		return fmt.Sprintf("uses %q, which is not a file of the ledger", f.Path)
	case len(found) == 0:
		return fmt.Sprintf("uses %q, which is neither a file nor a directory of the ledger", f.Path)
	case len(found) > mostFiles:
		return fmt.Sprintf("uses %q, which has %d files; at most %d are pinned", f.Path, len(found), mostFiles)
	}
	return ""
}

// frozenFiles are the contents of the plan directory, and the opening that binds them.
func (e *Engine) frozenFiles(id incident.ID, d draft) (map[string][]byte, incident.Opened, error) {
	files := map[string][]byte{journal.SchemaFile: e.Schema}
	for p, data := range d.source.Files {
		files[p] = data
	}
	static, err := planText(d.plan)
	if err != nil {
		return nil, incident.Opened{}, err
	}
	files[journal.PlanFile] = static
	return files, incident.Opened{ID: id, Runbook: d.runbook, Why: d.why, Plan: journal.PlanDigest(files),
		Versions: e.Versions, Problems: d.problems, Inputs: d.source.Inputs}, nil
}

// withoutRunbooks are the files that pullbook.cue can import.
func withoutRunbooks(files map[string][]byte) map[string][]byte {
	out := maps.Clone(files)
	maps.DeleteFunc(out, func(name string, _ []byte) bool { return runbook.IsRunbook(name) })
	return out
}

func cueFiles(tree map[string]File) map[string][]byte {
	out := map[string][]byte{}
	for p, f := range tree {
		if strings.HasSuffix(p, ".cue") {
			out[p] = f.Data
		}
	}
	return out
}

func pick(files map[string][]byte, paths ...string) map[string][]byte {
	out := map[string][]byte{}
	for _, p := range paths {
		if data, ok := files[p]; ok {
			out[p] = data
		}
	}
	return out
}

func sentences(problems []runbook.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}
