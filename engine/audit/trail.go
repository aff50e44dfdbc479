package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// trail is what is known of one incident's branch, commit after commit.
type trail struct {
	a      *auditor
	base   gitstore.Commit // of the main line
	first  gitstore.Hash   // commit of the branch
	dir    string
	plan   runbook.Plan
	whole  runbook.Plan      // with the elements that are settled so far; all returns it
	files  map[string][]byte // of the plan directory, by path below it
	head   journal.Head
	state  incident.State
	record Incident
	wanted bool // not wanted: another incident than the options ask for, which was not looked into

	commits  map[string]int           // those before the one at hand, each with the sequence number of its last event
	pages    map[string]string        // digest of each gate page, by path
	shown    map[string]runbook.Shown // what those pages show that is compared with what ran, by path
	begun    map[string]int           // sequence number of the latest intent of each step
	orders   map[string]order         // of other incidents, by attempt key
	words    []incident.Deed          // of people, that stopped this incident
	strange  []string                 // commits after the last one of the engine's own that are not
	why      *Finding                 // what is wrong with the first of them
	reopened bool                     // by a person: the report of the end may be written anew
	holding  []hold                   // locks that are held
	held     []hold                   // locks that were held
}

// batch is one commit of a trail: what it changes and says.
type batch struct {
	commit gitstore.Commit
	files  map[string][]byte // what it wrote, by path; taken out as the journal speaks of it
	events []incident.Event
	last   int // sequence number of the last event before this commit

	rewritten []string // files of the plan among them that an earlier commit wrote
}

// back follows first parents from the tip of a branch to the main line before place. The commits come oldest first.
func (a *auditor) back(tip gitstore.Hash, before int) (commits []gitstore.Commit, f *Finding) {
	for id := tip; ; {
		if at, ok := a.place[id]; ok && at < before {
			slices.Reverse(commits)
			return commits, nil
		}
		c, err := a.clone.Commit(id)
		if err != nil {
			return commits, unreadable(id, err)
		}
		commits = append(commits, c)
		if len(c.Parents) == 0 {
			return commits, crooked(c)
		}
		id = c.Parents[0]
	}
}

// trail verifies the branch that ends in tip and is, or would be, merged at the given place of the main line.
func (a *auditor) trail(tip gitstore.Hash, before int) (*trail, *Finding) {
	commits, f := a.back(tip, before)
	for _, c := range commits {
		a.seen[c.Hash] = true
	}
	switch {
	case f != nil:
		return nil, f
	case len(commits) == 0:
		return nil, wrong(tip, "", "the branch of an incident holds no commit of its own")
	}
	base := a.place[commits[0].Parents[0]]
	t := &trail{a: a, base: a.line[base], first: commits[0].Hash, commits: map[string]int{}, pages: map[string]string{}, shown: map[string]runbook.Shown{}, begun: map[string]int{}, orders: map[string]order{}}
	r, err := journal.ParseRange(commits[0].Message)
	if err != nil {
		return nil, wrong(commits[0].Hash, "", "%v", err)
	}
	t.record.ID, t.dir = r.Incident, r.Incident.Dir()
	t.wanted = a.options.Incident == "" || a.options.Incident == r.Incident
	if !t.wanted {
		return t, nil
	}
	a.found = true
	if f := t.walk(commits, base, before); f != nil {
		return nil, t.about(f)
	}
	if f := t.follows(commits[0]); f != nil {
		return nil, t.about(f)
	}
	t.record.Commits, t.record.Events = len(t.commits), t.head.Seq
	t.record.Runbook, t.record.End = t.state.Opened.Runbook, t.state.End
	a.holds = append(a.holds, t.held...)
	return t, nil
}

// walk verifies one commit after the other.
func (t *trail) walk(commits []gitstore.Commit, base, before int) *Finding {
	tree := t.base.Tree
	for _, c := range commits {
		f := t.a.signature(c, base, before-1)
		if len(c.Parents) != 1 {
			f = crooked(c)
		}
		if f != nil {
			t.stranger(c, f)
			continue
		}
		if f := t.commit(c, tree); f != nil {
			return f
		}
		tree = c.Tree
	}
	return t.why
}

func (t *trail) about(f *Finding) *Finding {
	f.Incident = t.record.ID
	return f
}

// commit verifies one commit of the trail behind those before it.
func (t *trail) commit(c gitstore.Commit, before gitstore.Hash) *Finding {
	b := &batch{commit: c, files: map[string][]byte{}, last: t.head.Seq}
	if f := t.read(b, before); f != nil {
		return f
	}
	if f := t.decode(b); f != nil {
		return firstOf(t.why, f) // whoever writes over foreign commits without disowning them: those are wrong first
	}
	if f := firstOf(t.disowns(b), t.rewrites(b)); f != nil {
		return f
	}
	if t.head.Seq == len(b.events) {
		if f := t.open(b); f != nil {
			return f
		}
	}
	facts := journal.MessageFacts{Incident: t.record.ID, Plan: t.plan, Rehearsal: t.record.Rehearsal}
	if got, want := journal.LastParagraph(c.Message), journal.Marks(b.events, facts); got != want {
		return wrong(c.Hash, "", "its trailers are not those of the events in it: %s", firstDifference(got, want))
	}
	for _, e := range b.events {
		if f := t.event(b, e); f != nil {
			return f
		}
	}
	if len(b.files) > 0 {
		return wrong(c.Hash, slices.Min(keysOf(b.files)), "no event of this commit speaks of this file")
	}
	t.commits[c.Hash.String()] = t.head.Seq
	return nil
}

func keysOf(files map[string][]byte) []string { return slices.Collect(maps.Keys(files)) }

// firstDifference names the first line of the trailers that should be there and is not.
func firstDifference(got, want string) string {
	have := strings.Split(got, "\n")
	for i, line := range strings.Split(strings.TrimSuffix(want, "\n"), "\n") {
		if i >= len(have) || have[i] != line {
			return "line " + line + " is due"
		}
	}
	return "there are too many"
}

// read takes what the commit wrote. A commit only adds plain files, all of them its own incident's; gate pages alone may be
// written anew.
func (t *trail) read(b *batch, before gitstore.Hash) *Finding {
	changes, err := t.a.clone.Diff(before, b.commit.Tree)
	if err != nil {
		return unreadable(b.commit.Hash, err)
	}
	for _, change := range changes {
		path := change.Path
		switch {
		case !strings.HasPrefix(path, t.dir+"/"):
			return wrong(b.commit.Hash, path, "it changes what is not its incident's")
		case change.New.Blob.IsZero():
			return wrong(b.commit.Hash, path, "it removes a file")
		case change.New.Mode != gitstore.ModeFile:
			return wrong(b.commit.Hash, path, "its mode is %s, not that of a plain file", change.New.Mode)
		case !change.Old.Blob.IsZero() && t.wroteAnew(path):
			b.rewritten = append(b.rewritten, path)
		case !change.Old.Blob.IsZero() && !strings.HasPrefix(path, t.dir+"/gates/") && !(path == journal.ReportPath(t.dir) && t.reopened):
			return wrong(b.commit.Hash, path, "it changes what an earlier commit wrote")
		}
		data, err := t.a.clone.Blob(change.New.Blob)
		if err != nil {
			return unreadable(b.commit.Hash, err)
		}
		b.files[path] = data
	}
	return nil
}

// decode takes the events out of what the commit wrote.
func (t *trail) decode(b *batch) *Finding {
	events, head, err := journal.DecodeAfter(t.dir, t.head, b.files)
	var refused *journal.Error
	if errors.As(err, &refused) {
		return wrong(b.commit.Hash, refused.Path, "%s", refused.Why)
	}
	if err != nil {
		return unreadable(b.commit.Hash, err)
	}
	for _, e := range events {
		delete(b.files, journal.Path(t.dir, e.Seq, e.Data.Kind()))
	}
	b.events, t.head = events, head
	return nil
}

var plainStep = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// open verifies what only the first commit holds: what the incident is, and the plan that it was frozen with.
func (t *trail) open(b *batch) *Finding {
	opened, ok := b.events[0].Data.(incident.Opened)
	if !ok {
		return wrong(b.commit.Hash, "", "the journal does not begin with its opening") // unreachable: decode has refused it
	}
	id := b.commit.Hash
	t.record.Rehearsal = opened.Rehearsal != nil
	switch {
	case opened.Commit != t.base.Hash.String():
		return wrong(id, "", "the incident was frozen at commit %q, and its branch starts at %s", opened.Commit, t.base.Hash)
	case opened.Parent == nil && opened.ID.Slot() != incident.Slot(opened.Group, opened.Previous):
		return wrong(id, "", "the name of the incident does not follow from its alert group and the incident before it")
	case opened.Parent != nil && !bornOf(opened):
		return wrong(id, "", "the name of the incident does not follow from the attempt that is said to have opened it")
	case !bytes.Equal(t.claim(b, journal.IdentityPath(t.dir)), journal.Identity(opened)):
		return wrong(id, journal.IdentityPath(t.dir), "it does not say what the journal says")
	}
	plan := map[string][]byte{}
	for _, path := range keysOf(b.files) {
		if rest, ok := strings.CutPrefix(path, journal.PlanDir(t.dir)); ok {
			plan[rest] = t.claim(b, path)
		}
	}
	if journal.PlanDigest(plan) != opened.Plan {
		return wrong(id, journal.PlanDir(t.dir), "the frozen plan has another digest than the journal says")
	}
	if f := t.sources(b, opened, plan); f != nil {
		return f
	}
	var f *Finding
	if t.plan, f = t.readPlan(b, plan[journal.PlanFile]); f != nil {
		return f
	}
	t.files = plan
	return firstOf(t.pins(b), t.codeOwned(b, opened))
}

// pins checks that the files that steps use are pinned to what the default branch held at the commit that was frozen.
func (t *trail) pins(b *batch) *Finding {
	for _, step := range t.plan.Steps {
		for _, file := range step.Files {
			entries, err := t.a.clone.Entries(t.base.Tree, file.Path)
			if err != nil && !errors.Is(err, gitstore.ErrNotFound) {
				return unreadable(b.commit.Hash, err)
			}
			if entries[file.Path].Blob.String() != file.Blob {
				return wrong(b.commit.Hash, journal.PlanPath(t.dir),
					"step %s uses %q, and pins what is not the file that the default branch held", step.Name, file.Path)
			}
		}
	}
	return nil
}

// claim takes a file out of the batch: the journal speaks of it. Nil when the commit did not write it.
func (t *trail) claim(b *batch, path string) []byte {
	data := b.files[path]
	delete(b.files, path)
	return data
}

// sources checks that what was frozen is what the default branch held at that commit: the runbook, the policy, and the
// packages that they import.
func (t *trail) sources(b *batch, opened incident.Opened, plan map[string][]byte) *Finding {
	own, isOwn := strings.CutPrefix(opened.Runbook, embedded)
	found := isOwn
	for _, path := range slices.Sorted(maps.Keys(plan)) {
		frozen := plan[path]
		if path == journal.PlanFile || path == journal.SchemaFile || isOwn && path == own {
			continue
		}
		found = found || path == opened.Runbook || strings.HasPrefix(path, opened.Runbook+"/")
		files, err := t.a.clone.Files(t.base.Tree, path)
		if err != nil && !errors.Is(err, gitstore.ErrNotFound) {
			return unreadable(t.base.Hash, err)
		}
		if file, ok := files[path]; !ok || !bytes.Equal(file.Data, frozen) {
			return wrong(b.commit.Hash, journal.PlanDir(t.dir)+path, "it is not what the default branch held at %s", t.base.Hash)
		}
	}
	if !found {
		return wrong(b.commit.Hash, journal.PlanDir(t.dir)+opened.Runbook, "the runbook is not in the frozen plan")
	}
	return nil
}

const embedded = "embedded:" // before a runbook of the engine's own

// readPlan reads the plan strictly: a field that is not known could weigh.
func (t *trail) readPlan(b *batch, data []byte) (plan runbook.Plan, f *Finding) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(&plan)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the plan")
		}
	}
	if err != nil {
		return plan, wrong(b.commit.Hash, journal.PlanPath(t.dir), "the frozen plan cannot be read: %v", err)
	}
	names := map[string]bool{}
	for _, step := range plan.Steps {
		if !plainStep.MatchString(step.Name) || names[step.Name] {
			return plan, wrong(b.commit.Hash, journal.PlanPath(t.dir), "the name of step %q is not plain, or there twice", step.Name)
		}
		names[step.Name] = true
	}
	return plan, nil
}
