package cueval

import (
	"fmt"
	"slices"
	"testing"
)

// TestPartsToRun: of a step that can still run, fields that loading has settled are not evaluated once more, unless they depend on
// something or somebody looks at them.
func TestPartsToRun(t *testing.T) {
	const plain = `exec: {command: ["a"]}, risk: "read", timeout: "3m", needs: ["b"], output: {n: int & >=0, all: [...{x?: string}], [=~"^z"]: _}`
	for _, c := range []struct{ step, more, pullbook, left string }{
		{plain, "", "", "[needs output risk timeout]"},
		{plain, "", `defaults: severity: "sev1"`, "[needs output risk timeout]"},
		{plain, "", `defaults: timeout: "1m"`, "[]"},
		{plain, "", `policy: steps: [_]: {timeout?: string, ...}`, "[needs output risk]"},
		{plain, "", `policy: steps: [_]: {output?: _, if output != _|_ {reversible?: bool}, ...}`, "[needs risk timeout]"},
		{`exec: {command: ["a"]}, output: n: _top, timeout: _wait`, `_top: >3, _wait: "3m"`, "", "[]"},
		{`exec: {command: ["a"]}, output: n: 1 | *2, timeout: "3m", timeout: _wait`, `_wait: "3m"`, "", "[output]"},
		{`{exec: {command: ["a"]}, timeout: "3m", _more}`, `_more: {title: "t", ...}`, "", "[]"},
	} {
		name := fmt.Sprintf("%s, %s, %s", c.step, c.more, c.pullbook)
		d, plan := readAgain(t, fmt.Sprintf("steps: {b: manual: task: \"x\"\na: {%s}}\n%s", c.step, c.more), c.pullbook)
		s, _ := plan.Step("a")
		at := part{"steps", "a", ""}
		kept, left := d.toRun(s, at), []string{}
		for field := range d.parts.steps[at].fields {
			if !slices.Contains(kept, at) && !slices.Contains(kept, part{"steps", "a", field}) {
				left = append(left, field)
			}
		}
		if slices.Sort(left); fmt.Sprint(left) != c.left {
			t.Errorf("%s: left out %v, not %s", name, left, c.left)
		}
	}
}
