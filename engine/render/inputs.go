package render

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/runbook"
)

// inputBudget bounds the values of inputs, in bytes.
const inputBudget = 2_000

// inputs lists what the runbook was opened with. The values are foreign: a child's come from its parent's alert.
func (b board) inputs() string {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b.state.Opened.Inputs, &values); err != nil || len(values) == 0 {
		return "" // there are none
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		lines = append(lines, neutral(plain(name, 80), inBlock)+" = "+neutral(plain(string(values[name]), inlineLimit), inBlock))
	}
	return runbook.Fence("text", bounded(lines, "\n", inputBudget))
}

// titled puts a heading over a text that is there.
func titled(heading, text string) string {
	if text == "" {
		return ""
	}
	return heading + "\n\n" + text
}
