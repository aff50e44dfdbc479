package audit

import (
	"errors"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/codeowners"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// codeOwned checks that the code owners of the plan are those of CODEOWNERS at the commit that was frozen. The engine's own
// runbook is nobody's code.
func (t *trail) codeOwned(b *batch, opened incident.Opened) *Finding {
	var file codeowners.File
	if !strings.HasPrefix(opened.Runbook, embedded) {
		found, err := t.a.clone.Files(t.base.Tree, codeowners.Places()...)
		if err != nil && !errors.Is(err, gitstore.ErrNotFound) {
			return unreadable(t.base.Hash, err)
		}
		for _, place := range codeowners.Places() {
			if f, there := found[place]; there {
				file = codeowners.Parse(f.Data)
				break
			}
		}
	}
	for _, step := range t.plan.Steps {
		want := step.OwnersOf(file.Of)
		if !slices.Equal(step.CodeOwners, want) {
			return wrong(b.commit.Hash, journal.PlanPath(t.dir), "the code owners of step %s are %q, and by CODEOWNERS they are %q", step.Name, step.CodeOwners, want)
		}
		if step.Approval == nil {
			continue
		}
		if step.Approval.Says(runbook.CodeOwners) || step.Approval.Says(runbook.ServiceOwners) {
			return wrong(b.commit.Hash, journal.PlanPath(t.dir), "the approval of step %s does not name those whom its words stand for", step.Name)
		}
		for _, asked := range step.Approval.Asked() {
			if !slices.Equal(asked, want) {
				return wrong(b.commit.Hash, journal.PlanPath(t.dir), "the approval of step %s asks %q as code owners, and by CODEOWNERS they are %q", step.Name, asked, want)
			}
		}
	}
	return nil
}
