package cueval

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

// bound is how many elements a template may have, and where the policy says so or could allow more.
type bound struct {
	most int
	hint string
	see  *runbook.See
}

// tooMany holds the elements of a template against its bounds. What opens an incident for each of them, now or in an undo,
// has a bound of its own, so that it is refused before the first one is opened.
func (d *document) tooMany(elements int, s runbook.Step) *misfit {
	all := d.org.bound("each", d.org.limits.Each, runbook.UsualElements, runbook.MostElements)
	if d.opensIncidents(s) {
		b := d.org.bound("children", d.org.limits.Children, runbook.UsualChildren, runbook.MostChildren)
		if b.most <= all.most && elements > b.most {
			return &misfit{at: []string{fieldEach}, text: fmt.Sprintf("there are %d elements, each of which can open an incident, and at most %d such are allowed",
				elements, b.most), hint: b.hint, see: b.see}
		}
	}
	if elements > all.most {
		return &misfit{at: []string{fieldEach}, text: fmt.Sprintf("there are %d elements, and at most %d are allowed", elements, all.most), hint: all.hint, see: all.see}
	}
	return nil
}

// opensIncidents reports whether a template, or its undo, opens another runbook for each element.
func (d *document) opensIncidents(s runbook.Step) bool {
	if d.known != nil { // then that is known, and nothing needs to be evaluated
		undo, _ := d.known.Step(d.templateHome(s)[1] + undoSuffix)
		main, _ := d.known.Step(d.templateHome(s)[1])
		return main.Kind == runbook.KindRunbook || undo.Kind == runbook.KindRunbook
	}
	template, kind := d.templateIn(d.static(), s), string(runbook.KindRunbook)
	return field(template, kind).Exists() || field(field(template, "undo"), kind).Exists()
}

// bound is the limit of the organisation with a name; usual where said is zero, which it never is in pullbook.cue.
func (o organisation) bound(name string, said, usual, most int) bound {
	if said == 0 {
		return bound{most: usual, hint: fmt.Sprintf("limits: %s in %s can allow up to %d", name, organisationFile, most)}
	}
	b := bound{most: said}
	if f, depth := fieldOf(o.file, []string{"limits", name}); depth == 2 {
		b.see = ruleAt(f.Pos())
	}
	return b
}
