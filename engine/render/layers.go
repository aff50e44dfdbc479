package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Bounds of a graph in layers.
const (
	layersAhead = 2  // layers that have not begun and are drawn one by one
	layersDrawn = 24 // nodes of layers
	stepsDrawn  = 24 // steps with a node of their own
)

// layer is the steps of which none needs another; what it holds besides them is counted.
type layer struct {
	name        string
	alone       []row // drawn one by one
	over, later int
}

// layered draws the layers of a large plan from above to below. Neighbours that are wholly over, or wholly still to come,
// are one.
func layered(rows []row) string {
	var out strings.Builder
	out.WriteString("flowchart TD\n")
	members := map[class][]string{}
	var before []string
	for _, l := range merged(layersOf(rows)) {
		var nodes []string
		draw := func(id, shape string, c class) {
			fmt.Fprintf(&out, "  %s%s\n", id, shape)
			nodes, members[c] = append(nodes, id), append(members[c], id)
		}
		if l.over+l.later > 0 {
			draw(l.name, `["`+l.words()+`"]`, l.class())
		}
		for _, r := range l.alone {
			draw(fmt.Sprintf("s%d", r.index), shape(r), r.drawn())
		}
		if len(before) > 0 {
			fmt.Fprintf(&out, "  %s --> %s\n", strings.Join(before[:1], ""), strings.Join(nodes, " & "))
			for _, from := range before[1:] {
				fmt.Fprintf(&out, "  %s --> %s\n", from, nodes[0])
			}
		}
		before = nodes
	}
	styles(&out, members)
	return out.String()
}

func (l layer) words() string {
	switch {
	case l.later == 0:
		return plural(l.over, "step is over", "steps are over")
	case l.over == 0:
		return plural(l.later, "step is still to come", "steps are still to come")
	}
	return fmt.Sprintf("%d of %d steps are over", l.over, l.over+l.later)
}

func (l layer) class() class {
	if l.later == 0 {
		return classDone
	}
	return classWaiting
}

// layersOf puts each row behind all that it needs. What is undone follows the main stage, and the finally steps come last.
func layersOf(rows []row) []layer {
	depth, most := map[string]int{}, 0
	for _, r := range rows { // the plan is in order
		if r.step.Stage != runbook.StageMain {
			continue
		}
		at := 0
		for _, need := range r.step.Needs {
			if d, ok := depth[need]; ok {
				at = max(at, d+1)
			}
		}
		depth[r.step.Name] = at
		most = max(most, at)
	}
	out := make([]layer, most+3)
	drawn := 0
	for _, r := range rows {
		l := &out[depth[r.step.Name]]
		switch r.step.Stage {
		case runbook.StageUndo:
			l = &out[most+1]
		case runbook.StageFinally:
			l = &out[most+2]
		}
		switch c := r.drawn(); {
		case slices.Contains([]class{classGate, classRunning, classFailed}, c) && drawn < stepsDrawn:
			l.alone = append(l.alone, r)
			drawn++
		case r.settled:
			l.over++
		default:
			l.later++
		}
	}
	for i := range out {
		out[i].name = fmt.Sprintf("l%d", i)
		slices.SortStableFunc(out[i].alone, func(a, b row) int { return cmp.Compare(a.index, b.index) })
	}
	return slices.DeleteFunc(out, func(l layer) bool { return len(l.alone)+l.over+l.later == 0 })
}

// merged joins neighbours until there are few enough of them.
func merged(layers []layer) (out []layer) {
	ahead := 0
	for _, l := range layers {
		last := len(out) - 1
		over := len(l.alone) == 0 && l.later == 0
		later := len(l.alone) == 0 && l.over == 0
		if later {
			ahead++
		}
		switch {
		case last < 0:
			out = append(out, l)
		case over && len(out[last].alone) == 0 && out[last].later == 0, later && ahead > layersAhead && len(out[last].alone) == 0 && out[last].over == 0, len(out) >= layersDrawn:
			out[last].over += l.over
			out[last].later += l.later
			out[last].alone = append(out[last].alone, l.alone...)
		default:
			out = append(out, l)
		}
	}
	return out
}
