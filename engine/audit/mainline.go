package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// incidentsDir is where incidents live in a ledger.
const incidentsDir = "incidents"

// auditor goes through one clone once.
type auditor struct {
	clone   *gitstore.Clone
	options Options
	line    []gitstore.Commit     // the main line, oldest first
	place   map[gitstore.Hash]int // index in line
	keyring []version
	seen    map[gitstore.Hash]bool // commits of trails that were looked at
	signed  map[string]bool        // fingerprints that signed
	found   bool                   // the incident of the options
	trails  []*trail               // of the incidents that were verified
	holds   []hold                 // of all incidents that were looked at
	report  Report
}

func wrong(commit gitstore.Hash, path, format string, args ...any) *Finding {
	return &Finding{Commit: commit.String(), Path: path, Why: fmt.Sprintf(format, args...)}
}

// unreadable is the finding for what git itself does not give.
func unreadable(commit gitstore.Hash, err error) *Finding { return wrong(commit, "", "%v", err) }

func (a *auditor) verify() *Finding {
	branch, tip, err := DefaultBranch(a.clone)
	if err != nil {
		return &Finding{Why: err.Error()}
	}
	a.report.Branch, a.report.Tip = branch, tip.String()
	cut, err := a.clone.Shallow()
	if err != nil {
		return &Finding{Why: err.Error()}
	}
	if len(cut) > 0 {
		return wrong(cut[0], "", "the clone is shallow: what was before this commit is not there to be verified")
	}
	if f := a.readLine(tip); f != nil {
		return f
	}
	a.report.Commits = len(a.line)
	for i := range a.line {
		if f := a.commit(i); f != nil {
			a.report.Findings = append(a.report.Findings, *f)
		}
	}
	if f := a.branches(); f != nil {
		return f
	}
	a.kin()
	a.report.Findings = append(a.report.Findings, overlaps(a.holds)...)
	a.report.Keys = slices.Sorted(maps.Keys(a.signed))
	if a.options.Incident != "" && !a.found {
		return &Finding{Incident: a.options.Incident, Why: "the clone holds no such incident"}
	}
	if a.options.Trust.given() && len(a.keyring) == 0 {
		return &Finding{Path: keysPath, Why: "the ledger names no signing key, so none of it can be trusted"}
	}
	return nil
}

// DefaultBranch gives the branch whose history counts: what the remote calls its HEAD, as `git clone` writes it down, or
// else HEAD, as in a bare clone.
func DefaultBranch(clone *gitstore.Clone) (branch string, tip gitstore.Hash, err error) {
	refs, err := clone.Refs()
	if err != nil {
		return "", gitstore.Hash{}, err
	}
	if tip, ok := refs["refs/remotes/origin/HEAD"]; ok {
		return "origin/HEAD", tip, nil
	}
	branch, tip, err = clone.Head()
	if err != nil {
		return "", gitstore.Hash{}, err
	}
	if strings.HasPrefix(branch, incident.BranchPrefix) {
		return "", gitstore.Hash{}, fmt.Errorf("HEAD is the branch %s of an incident; check out the default branch", branch)
	}
	return branch, tip, nil
}

// readLine reads the main line.
func (a *auditor) readLine(tip gitstore.Hash) *Finding {
	for id := tip; ; {
		c, err := a.clone.Commit(id)
		if err != nil {
			return unreadable(id, err)
		}
		a.line = append(a.line, c)
		if len(c.Parents) == 0 {
			break
		}
		id = c.Parents[0]
	}
	slices.Reverse(a.line)
	a.place = make(map[gitstore.Hash]int, len(a.line))
	for i, c := range a.line {
		a.place[c.Hash] = i
	}
	return nil
}

// before is the tree of the commit before c on its own line.
func (a *auditor) before(i int) gitstore.Hash {
	if i == 0 {
		return gitstore.Hash{}
	}
	return a.line[i-1].Tree
}

// commit verifies one commit of the main line.
func (a *auditor) commit(i int) *Finding {
	c := a.line[i]
	changes, err := a.clone.Diff(a.before(i), c.Tree)
	if err != nil {
		return unreadable(c.Hash, err)
	}
	inside := slices.IndexFunc(changes, func(f gitstore.FileChange) bool {
		return f.Path == incidentsDir || strings.HasPrefix(f.Path, incidentsDir+"/")
	})
	end, why := a.incidentEnd(i)
	switch {
	case why == nil:
		return a.merge(i, end, changes)
	case inside >= 0:
		if why.Commit == c.Hash.String() {
			why.Path = changes[inside].Path
		}
		return why
	}
	return a.people(i, changes)
}

// incidentEnd is the second parent of a merge, if its message says that it belongs to an incident. Otherwise the finding
// is what is wrong if line[i] changes incidents nevertheless.
func (a *auditor) incidentEnd(i int) (gitstore.Commit, *Finding) {
	c := a.line[i]
	if len(c.Parents) != 2 {
		return gitstore.Commit{}, wrong(c.Hash, "", "it changes %s/ and is not the merge of an incident's branch", incidentsDir)
	}
	end, err := a.clone.Commit(c.Parents[1])
	if err != nil {
		return gitstore.Commit{}, unreadable(c.Parents[1], err)
	}
	_, err = journal.ParseRange(end.Message)
	switch {
	case err == nil:
		return end, nil
	case a.signature(end, 0, i) == nil: // the engine's own, so this is where it went wrong
		return end, wrong(end.Hash, "", "%v", err)
	}
	return end, wrong(c.Hash, "", "it changes %s/ and is not the merge of an incident's branch: %v", incidentsDir, err)
}

// merge verifies the trail that ends in the second parent of line[i], and that the merge brought it in unchanged and
// nothing else.
func (a *auditor) merge(i int, end gitstore.Commit, changes []gitstore.FileChange) *Finding {
	c := a.line[i]
	t, f := a.trail(end.Hash, i)
	if f != nil {
		return f
	}
	if t.wanted {
		a.trails = append(a.trails, t)
		t.record.Merge = c.Hash.String()
		a.report.Incidents = append(a.report.Incidents, t.record)
	}
	if f := a.mergeTree(i, t, end, changes); f != nil {
		f.Incident = t.record.ID
		return f
	}
	return nil
}

func (a *auditor) mergeTree(i int, t *trail, end gitstore.Commit, changes []gitstore.FileChange) *Finding {
	c := a.line[i]
	if t.wanted && t.state.End == "" {
		return wrong(c.Hash, "", "it merges the incident before its end")
	}
	switch _, err := a.clone.Subtree(a.before(i), t.dir); {
	case err == nil:
		return wrong(c.Hash, t.dir, "it changes an incident that was merged before")
	case !errors.Is(err, gitstore.ErrNotFound):
		return unreadable(c.Hash, err)
	}
	for _, change := range changes {
		if !strings.HasPrefix(change.Path, t.dir+"/") {
			return wrong(c.Hash, change.Path, "the merge of an incident changes what is not the incident's")
		}
	}
	merged, err := a.clone.Subtree(c.Tree, t.dir)
	if errors.Is(err, gitstore.ErrNotFound) {
		return wrong(c.Hash, t.dir, "the merge leaves the incident out")
	}
	if err != nil {
		return unreadable(c.Hash, err)
	}
	own, err := a.clone.Subtree(end.Tree, t.dir)
	if err != nil {
		return unreadable(end.Hash, err)
	}
	if merged != own {
		return wrong(c.Hash, t.dir, "the merge changes the incident: the directory is not the one at the end of the branch")
	}
	return nil
}

// branches verifies the incidents that are not merged yet: local branches and those of any remote.
func (a *auditor) branches() *Finding {
	refs, err := a.clone.Refs()
	if err != nil {
		return &Finding{Why: err.Error()}
	}
	type open struct {
		ref string
		tip gitstore.Hash
	}
	var tips []open
	for ref, tip := range refs {
		if slot, ok := slotOf(ref); ok && slot != "" {
			tips = append(tips, open{ref, tip})
		}
	}
	lengths := map[gitstore.Hash]int{}
	for _, o := range tips {
		commits, _ := a.back(o.tip, len(a.line))
		lengths[o.tip] = len(commits)
	}
	slices.SortFunc(tips, func(x, y open) int { // the longest first: a stale copy of a branch is then part of what was seen
		if d := lengths[y.tip] - lengths[x.tip]; d != 0 {
			return d
		}
		return strings.Compare(x.ref, y.ref)
	})
	for _, o := range tips {
		if !a.seen[o.tip] {
			a.branch(o.ref, o.tip)
		}
	}
	return nil
}

// slotOf is what follows incident/ in the name of a local branch or one of a remote.
func slotOf(ref string) (string, bool) {
	if rest, ok := strings.CutPrefix(ref, "refs/heads/"+incident.BranchPrefix); ok {
		return rest, true
	}
	rest, ok := strings.CutPrefix(ref, "refs/remotes/")
	if !ok {
		return "", false
	}
	_, rest, _ = strings.Cut(rest, "/")
	return strings.CutPrefix(rest, incident.BranchPrefix)
}

func (a *auditor) branch(ref string, tip gitstore.Hash) {
	t, f := a.trail(tip, len(a.line))
	if f == nil && t.wanted {
		a.trails = append(a.trails, t)
		a.report.Incidents = append(a.report.Incidents, t.record)
		if slot, _ := slotOf(ref); slot != t.record.ID.Slot() {
			f = wrong(tip, "", "the branch %q is not that of incident %s", ref, t.record.ID)
		}
	}
	if f != nil {
		a.report.Findings = append(a.report.Findings, *f)
	}
}
