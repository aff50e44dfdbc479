package runbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Element is what a template stands for at this moment, for one element of its list.
type Element struct {
	Key   string     `json:"key"`             // see ElementKey
	Title string     `json:"title,omitempty"` // one line
	Now   Resolution `json:"now"`             // ready, skip or broken; never with elements of its own
}

// The bounds of a template. A policy sets other bounds on elements, up to MostElements and MostChildren.
const (
	UsualElements = 256     // how many elements a template may have, where the policy says nothing
	MostElements  = 5_000   // whatever the policy says
	UsualChildren = 20      // how many, where each opens an incident and the policy says nothing
	MostChildren  = 200     // whatever the policy says of these
	MostCollected = 1 << 20 // bytes of the JSON that the elements of one template put out, together
)

// ElementKey reports whether a text can be the key of an element: ^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$. The name of the
// element is that of its template, a dot and the key: a directory, a word in a comment, and nothing that could format.
func ElementKey(s string) bool {
	for i, c := range []byte(s) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !plain && (i == 0 || !strings.ContainsRune("_.-", rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// SplitName parts the name of a step into that of a step of the plan and, for an element, its key.
func SplitName(name string) (step, key string, element bool) { return strings.Cut(name, ".") }

// Expand returns the plan with the elements of its templates, each before its template, which collects them. keys has the
// keys of those templates of which they are settled. A plan that was expanded before is expanded anew.
func (p Plan) Expand(keys map[string][]string) Plan {
	steps := make([]Step, 0, len(p.Steps))
	for _, s := range p.Steps {
		if s.Of != "" {
			continue
		}
		if list := keys[s.Name]; s.Each && len(list) > 0 {
			now := make(map[string]Element, len(s.Now.Elements))
			for _, e := range s.Now.Elements {
				now[e.Key] = e
			}
			for _, key := range list {
				steps = append(steps, s.element(key, now[key]))
			}
		}
		steps = append(steps, s)
	}
	p.Steps = steps
	return p
}

// Element is the step that a template stands for with one key, without what it is now.
func (s Step) Element(key string) Step { return s.element(key, Element{}) }

// ElementNow is the same with what it is now. What is not in the list any more only waits.
func (s Step) ElementNow(key string) Step {
	i := slices.IndexFunc(s.Now.Elements, func(e Element) bool { return e.Key == key })
	if i < 0 {
		return s.Element(key)
	}
	return s.element(key, s.Now.Elements[i])
}

func (s Step) element(key string, e Element) Step {
	template := s.Name
	s.Of, s.Key, s.Each, s.Name = template, key, false, template+"."+key
	if s.Undoes != "" {
		s.Undoes += "." + key
	}
	s.Title, s.Now = e.Title, e.Now
	if s.Title == "" {
		s.Title = s.Name
	}
	if s.Now.Status == "" {
		s.Now.Status = StatusWaiting
	}
	return s
}

// Written finds the step of the plan that a name belongs to, and its place in the plan as it was frozen. The name of an
// element gives that element as far as its template tells, without what it is now.
func (p Plan) Written(name string) (step Step, index int, ok bool) {
	template, key, isElement := SplitName(name)
	for i := range p.Steps {
		switch s := &p.Steps[i]; {
		case s.Of != "":
			continue
		case s.Name != template:
			index++
			continue
		case !isElement:
			return *s, index, true
		case s.Each && ElementKey(key):
			return s.Element(key), index, true
		}
		break
	}
	return Step{}, 0, false
}

// perPlace is how many steps share a directory: listings on the hub stay short.
const perPlace = 100

// Place is where in the ledger a step has its own, below the directory of all gate pages or of all evidence, for example
// 0/rollback. index is the step's place in the frozen plan, from 0; for an element, that of its template. Elements, of which
// there may be thousands, are spread over sixteen directories by the SHA-256 of their names: 0/restart.each/7/restart.web-1.
func Place(step string, index int) string {
	if template, _, isElement := SplitName(step); isElement {
		return fmt.Sprintf("%d/%s.each/%s/%s", index/perPlace, template, PageDigest([]byte(step))[:1], step)
	}
	return fmt.Sprintf("%d/%s", index/perPlace, step)
}

// Base is the plan without elements, as it was frozen.
func (p Plan) Base() Plan {
	written := 0
	for i := range p.Steps {
		if p.Steps[i].Of == "" {
			written++
		}
	}
	if written == len(p.Steps) {
		return p
	}
	steps := make([]Step, 0, written)
	for i := range p.Steps {
		if p.Steps[i].Of == "" {
			steps = append(steps, p.Steps[i])
		}
	}
	p.Steps = steps
	return p
}

// Keys are the keys of the elements of a resolution, in order.
func (r Resolution) Keys() []string {
	keys := make([]string, len(r.Elements))
	for i, e := range r.Elements {
		keys[i] = e.Key
	}
	return keys
}

// elements lists what runs for each element, one to a line.
func (g Gate) elements() string {
	var lines strings.Builder
	for _, e := range g.Elements {
		fmt.Fprintf(&lines, "%s.%s  %s\n", g.Step.Name, e.Key, oneElement(g.Step.Kind, e.Now))
	}
	return fmt.Sprintf("\n%s%d elements\n\n%s", headElements, len(g.Elements), Fence("text", lines.String()))
}

// oneElement is exactly what runs, as JSON on one line, or why nothing does.
func oneElement(kind Kind, now Resolution) string {
	switch now.Status {
	case StatusReady:
		var b bytes.Buffer
		if err := json.Compact(&b, canonical(what(kind, now.Work))); err != nil {
			panic(fmt.Sprintf("runbook: work is always JSON: %v", err)) // unreachable unless bug in this package
		}
		if len(now.Locks) > 0 {
			fmt.Fprintf(&b, "  locks: %s", strings.Join(now.Locks, ", "))
		}
		return b.String()
	case StatusSkip:
		return "skipped: " + strings.Join(strings.Fields(now.Problem), " ")
	}
	return "cannot be worked out: " + strings.Join(strings.Fields(now.Problem), " ")
}
