package audit

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// rewrites checks that a commit which writes files of the plan anew says so by an event, and brings no other.
func (t *trail) rewrites(b *batch) *Finding {
	edits := slices.ContainsFunc(b.events, func(e incident.Event) bool { return e.Data.Kind() == incident.PlanEdited{}.Kind() })
	switch {
	case len(b.rewritten) > 0 && !edits:
		return wrong(b.commit.Hash, slices.Min(b.rewritten), "it changes what an earlier commit wrote")
	case edits && len(b.events) != 1:
		return wrong(b.commit.Hash, "", "a commit that edits the plan brings other events as well")
	}
	return nil
}

// planEdited checks an edit of the plan: that its files are those that its event binds, that it changes nothing that no edit may,
// and that those approved it whom the plan before it names. What the edit's own pull request held is not in the ledger; that it
// was this, the engine's signature says.
func (t *trail) planEdited(b *batch, d incident.PlanEdited) *Finding {
	before, was := t.files, t.plan
	after := maps.Clone(before)
	for _, path := range keysOf(b.files) {
		name, inside := strings.CutPrefix(path, journal.PlanDir(t.dir))
		_, known := before[name]
		switch {
		case !inside:
			continue
		case !known || name == runbook.Organisation || name == journal.SchemaFile:
			return wrong(b.commit.Hash, path, "an edit of the plan does not write this file")
		}
		after[name] = t.claim(b, path)
	}
	switch {
	case journal.PlanDigest(after) != d.Plan:
		return wrong(b.commit.Hash, journal.PlanDir(t.dir), "the edited plan has another digest than the journal says")
	case runbook.Diff(journal.PlanSources(before), journal.PlanSources(after)) != d.Diff:
		return wrong(b.commit.Hash, "", "the diff is not that of the files which the commit changes")
	}
	now, f := t.readPlan(b, after[journal.PlanFile])
	if f != nil {
		return f
	}
	edit, problems := runbook.Compare(was, now, journal.PlanSources(before), journal.PlanSources(after))
	switch why := t.state.EditProblem(was, now, edit); {
	case len(problems) > 0:
		return wrong(b.commit.Hash, journal.PlanPath(t.dir), "%s: %s", problems[0].Path, problems[0].Text)
	case !slices.Equal(edit.Changed, d.Changed) || !slices.Equal(edit.Added, d.Added) || !slices.Equal(edit.Removed, d.Removed):
		return wrong(b.commit.Hash, "", "the steps that it names are not those that the edit changes")
	case why != "":
		return wrong(b.commit.Hash, "", "%s", why)
	case now.Edits != was.Edits+1:
		return wrong(b.commit.Hash, journal.PlanPath(t.dir), "it is edit %d of the plan, and says that it is edit %d", was.Edits+1, now.Edits)
	}
	t.files, t.plan, t.whole = after, now, t.state.Expand(now)
	return firstOf(t.editApproved(b, d, was), t.pins(b), t.codeOwned(b, t.state.Opened))
}

// editApproved checks the votes for an edit against the rule of the plan that was in force.
func (t *trail) editApproved(b *batch, d incident.PlanEdited, was runbook.Plan) *Finding {
	if was.Edit == nil {
		return wrong(b.commit.Hash, "", "the plan names nobody who approves that it is edited")
	}
	for _, v := range d.Votes {
		by := v.By
		switch {
		case by.ID <= 0 || by.Bot || !by.Write || !approval.Named(by, was.Edit.People()):
			return wrong(b.commit.Hash, "", "review %d is by %q, who may not approve an edit of the plan", v.Review, by.Login)
		case v.Commit != d.Head:
			return wrong(b.commit.Hash, "", "review %d was given on %q, and the edit is %s", v.Review, v.Commit, cmp.Or(d.Head, "none"))
		}
	}
	if !approval.Met(*was.Edit, approval.Voters(d.Votes)) {
		return wrong(b.commit.Hash, "", "the approvals of the edit do not meet their rule: %s", was.Edit.String())
	}
	t.record.Votes += len(d.Votes)
	return nil
}

// wroteAnew reports whether a change of a file is one that an event of its commit may explain: a file of the plan, after the
// opening.
func (t *trail) wroteAnew(path string) bool {
	return t.head.Seq > 0 && strings.HasPrefix(path, journal.PlanDir(t.dir))
}
