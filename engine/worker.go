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
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// errNoIncident says that a branch holds no incident of the engine's, or does not exist.
var errNoIncident = errors.New("no incident on this branch")

// errMerged says that the default branch has everything that a branch has: the incident was merged, and the branch is what
// is left of it.
var errMerged = fmt.Errorf("nothing but what is merged already: %w", errNoIncident)

// worker is one open incident in memory. Its lock serialises everything that happens to it.
type worker struct {
	branch string

	mu      sync.Locker
	ledger  *notes // nil: not read yet, or in doubt
	frozen  frozen // what never changes while the incident is open
	hub     *incident.HubView
	strange map[int64]int64            // as incident.Strangers has it, of all looks
	others  map[string]incident.Holder // locks that other incidents held at the latest look
	queue   []incident.Waiting         // and their steps that waited for some
	plan    resolved
	blame   []runbook.Blame               // of the frozen commit
	blamed  []string                      // the files that it is of
	authors map[string]runbook.Authorship // of the steps whose gates may open, as the last look had them
	edits   []*editNotes                  // open edits of the plan, by number
	screen  incident.Screen               // title and body as last published, or read; assignees as last asked for
	seenAt  time.Time                     // when it was published
	drawn   drawn                         // perhaps not published yet
	timers  map[string]time.Time          // by kind: the latest that was set, so that each look does not set it again
	came    Message                       // what is handled now

	ordered map[string]bool  // attempt keys whose incidents were ordered
	presses []incident.Press // of buttons, for this look
	unasked []string         // users and teams whose review requests were withdrawn: the hub keeps some, such as those of code owners
	kin     relatives
	runs    runs

	report atomic.Pointer[report] // for relatives, who do not wait for the lock either
	brief  atomic.Pointer[brief]  // for steps, which do not wait for the lock
}

// brief is what a starting step needs to know of its incident.
type brief struct {
	frozen frozen
	plan   runbook.Plan
	ended  map[string]runbook.Ended
	commit string // at which the plan was frozen
	pull   string // address of the pull request; empty while there is none
	state  incident.State
}

// frozen is what was fixed at the opening, or by the latest edit of the plan.
type frozen struct {
	source runbook.Source
	plan   runbook.Plan // its skeleton, with the lines that made the steps at the frozen commit

	first   origin
	written runbook.Plan      // as plan.json has it
	files   map[string][]byte // of the plan directory
	digest  string            // of these
	alert   json.RawMessage
	pins    map[string][]runbook.File // by step
	teams   []string                  // whose membership matters, from the rules of the plan
}

// origin is the plan that an incident was opened with.
type origin struct {
	plan  runbook.Plan
	files map[string][]byte // of the plan directory
	read  bool              // the plan was read from the files
}

// notes is the incident as git has it, local commits included.
type notes struct {
	events  []incident.Event
	state   incident.State
	chain   journal.Head
	head    string
	commits map[string]int // commit to the sequence number of its last event
	pushed  int
	remote  string // head of the remote branch as far as the engine knows
	marked  string // where its bookmark is as far as the engine knows
	foreign *incident.Foreign
	gone    bool                       // the remote branch does not lead to head
	deleted bool                       // it is not there
	lost    string                     // why it cannot be restored
	unsure  bool                       // a commit could not be made: there may be one behind head all the same
	taken   map[string]incident.Holder // locks that it holds by what is pushed
	spent   int64                      // the place in the step queue up to which the journal has done with all attempts
}

// resolved is a plan with the question that it answers.
type resolved struct {
	plan  runbook.Plan
	whole runbook.Plan             // with the elements that were settled at the latest look
	asked map[string]runbook.Ended // the ended steps
	known bool
}

// read brings a worker's notes from git, if they are not there.
func (e *Engine) read(ctx context.Context, w *worker) error {
	if w.ledger != nil {
		return nil
	}
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read %s: list the ledger's branches: %w", w.branch, err)
	}
	if heads[w.branch] == "" && e.bookmarks()[w.branch] == "" {
		return fmt.Errorf("%s: %w", w.branch, errNoIncident)
	}
	tip := heads[e.DefaultBranch]
	if err := e.checkNew(ctx, w.branch, tip); err != nil {
		return err
	}
	return e.readBranch(ctx, w, heads)
}

// checkNew fails with errMerged if an incident of the branch's name is on the default branch already. An engine that stood
// still while another one opened, ended and merged the incident would find its branch free once more.
func (e *Engine) checkNew(ctx context.Context, branch, tip string) error {
	merged, err := e.Ledger.Incidents(ctx, tip)
	if err != nil {
		return fmt.Errorf("read %s: list the merged incidents: %w", branch, err)
	}
	if slices.ContainsFunc(merged, func(id incident.ID) bool { return id.Branch() == branch }) {
		return fmt.Errorf("%s: %w", branch, errMerged)
	}
	return nil
}

// take makes notes of what the remote has.
func (w *worker) take(b Branch) error {
	own, foreign := sift(b)
	if len(own) == 0 && foreign == nil {
		return fmt.Errorf("%s: %w", w.branch, errMerged)
	}
	n := notes{commits: map[string]int{}, remote: b.Head, foreign: foreign}
	files := map[string][]byte{}
	dir := ""
	for _, c := range own {
		maps.Copy(files, c.Files)
		if dir == "" {
			if dir = incidentDir(c.Files); dir == "" {
				return fmt.Errorf("%s: its first commit opens no incident: %w", w.branch, errNoIncident)
			}
		}
		n.head = c.ID
		n.commits[c.ID] = lastSeq(c.Files, dir, n.commits)
	}
	if dir == "" {
		return fmt.Errorf("%s: %w", w.branch, errNoIncident)
	}
	var err error
	if n.events, n.chain, err = journal.Decode(dir, files); err != nil {
		return fmt.Errorf("decode the journal of %s: %w", w.branch, err)
	}
	if n.state, err = incident.Fold(n.events); err != nil {
		return fmt.Errorf("fold the journal of %s: %w", w.branch, err)
	}
	if id := n.state.Opened.ID; id.Branch() != w.branch {
		// Signed by the engine, and still not its doing: a copy would run the incident a second time.
		return fmt.Errorf("%s holds a copy of incident %s: %w", w.branch, id, errNoIncident)
	}
	n.pushed, n.taken = n.state.Seq, n.state.Locks()
	w.ledger = &n
	if err := w.thaw(dir, own[0].Files, files); err != nil {
		w.ledger = nil // without its plan it was not read
		return err
	}
	w.tell(n.state)
	return nil
}

// incidentDir finds the directory of the incident that a first commit opens.
func incidentDir(files map[string][]byte) string {
	for path := range files {
		if dir, ok := strings.CutSuffix(path, "/incident.json"); ok {
			return dir
		}
	}
	return ""
}

// lastSeq is the number of the last event in the journal after a commit.
func lastSeq(files map[string][]byte, dir string, before map[string]int) int {
	last := 0
	for _, seq := range before {
		last = max(last, seq)
	}
	for path := range files {
		if rest, ok := strings.CutPrefix(path, dir+"/journal/"); ok {
			var shard, seq int
			if _, err := fmt.Sscanf(rest, "%d/%06d-", &shard, &seq); err == nil {
				last = max(last, seq)
			}
		}
	}
	return last
}

// thaw reads the frozen plan back and checks that it is what the journal says. opening are the files of the first commit.
func (w *worker) thaw(dir string, opening, files map[string][]byte) error {
	plan := journal.PlanFiles(dir, files)
	state := w.ledger.state
	if got := journal.PlanDigest(plan); got != state.Plan {
		return fmt.Errorf("%s: the frozen plan has digest %s, the journal says %s", w.branch, got, state.Plan)
	}
	first := origin{files: plan, read: true}
	if len(state.Edits) > 0 {
		first.files = journal.PlanFiles(dir, opening)
	}
	if err := json.Unmarshal(first.files[journal.PlanFile], &first.plan); err != nil {
		return fmt.Errorf("%s: read %s of the opening: %w", w.branch, journal.PlanFile, err)
	}
	return w.freeze(first, state.Opened, plan)
}

// freeze sets what only an edit of the plan changes while the incident is open.
func (w *worker) freeze(first origin, opened incident.Opened, files map[string][]byte) error {
	alert, err := json.Marshal(opened.Alert)
	if err != nil {
		return fmt.Errorf("%s: encode the alert: %w", w.branch, err)
	}
	written := first.plan
	if !first.read || !bytes.Equal(files[journal.PlanFile], first.files[journal.PlanFile]) {
		written = runbook.Plan{}
		if err := json.Unmarshal(files[journal.PlanFile], &written); err != nil {
			return fmt.Errorf("%s: read %s: %w", w.branch, journal.PlanFile, err)
		}
	}
	source := runbook.Source{Runbook: strings.TrimPrefix(opened.Runbook, embedded), Files: journal.PlanSources(files), Inputs: opened.Inputs, Schema: files[journal.SchemaFile]}
	static, digest := written.Since(first.plan, journal.PlanSources(first.files), source.Files), journal.PlanDigest(files)
	if digest != w.frozen.digest {
		w.plan = resolved{}
	}
	w.frozen = frozen{source: source, plan: static, alert: alert, pins: map[string][]runbook.File{}, first: first, written: written, files: files, digest: digest}
	who := slices.Concat(static.Command, static.SelfApproval, static.Thaw, static.Calendar.People())
	if static.Edit != nil {
		who = slices.Concat(who, static.Edit.People())
	}
	if g := static.BreakGlass; g != nil {
		who = slices.Concat(who, g.By, g.Review.People())
	}
	for _, s := range static.Steps {
		w.frozen.pins[s.Name] = s.Files
		who = append(who, s.CodeOwners...)
		if s.Approval != nil {
			who = append(who, s.Approval.Everybody()...)
		}
	}
	for _, name := range who {
		if strings.Contains(name, "/") && !slices.Contains(w.frozen.teams, name) {
			w.frozen.teams = append(w.frozen.teams, name)
		}
	}
	slices.Sort(w.frozen.teams)
	return nil
}

// resolve asks what each step is now, unless the same question was answered before.
func (e *Engine) resolve(ctx context.Context, w *worker) (runbook.Plan, error) {
	q := w.query(w.ledger.state.Ended(w.plan.plan))
	if !w.plan.known { // what is over depends on the skeleton: fetch it first
		plan, err := e.Eval.Resolve(ctx, w.query(nil))
		if err != nil {
			return runbook.Plan{}, fmt.Errorf("resolve the plan of %s: %w", w.branch, err)
		}
		w.pin(&plan)
		w.plan = resolved{plan: plan, whole: plan, known: true}
		q = w.query(w.ledger.state.Ended(plan))
	}
	if maps.EqualFunc(q.Ended, w.plan.asked, runbook.Ended.Equal) {
		return w.plan.plan, nil
	}
	plan, err := e.Eval.Resolve(ctx, q)
	if err != nil {
		return runbook.Plan{}, fmt.Errorf("resolve the plan of %s: %w", w.branch, err)
	}
	w.pin(&plan)
	w.plan = resolved{plan: plan, whole: plan, known: true, asked: q.Ended}
	return plan, nil
}

func (w *worker) query(ended map[string]runbook.Ended) runbook.Query {
	return w.frozen.query(ended)
}

// query asks about the plan as it was frozen: with its own schema and skeleton, whatever another engine would make of it.
func (f frozen) query(ended map[string]runbook.Ended) runbook.Query {
	return runbook.Query{Source: f.source, Alert: f.alert, Ended: ended, Frozen: &f.plan}
}

// pin gives the steps of a fresh plan the blob ids that were frozen at the opening.
func (w *worker) pin(plan *runbook.Plan) {
	for i := range plan.Steps {
		plan.Steps[i].Files = w.frozen.pins[plan.Steps[i].Name]
	}
}

// forget throws away what is in memory, local commits included: the next look reads everything anew.
func (e *Engine) forget(w *worker) {
	e.Journal.Discard(w.branch)
	w.ledger, w.hub = nil, nil
}
