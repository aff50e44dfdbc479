package runbook

import (
	"encoding/json"
	"strings"
)

// Shown is what a gate page showed of the work that was approved.
type Shown struct {
	What     json.RawMessage            // what will run, as JSON; nil for a template
	Elements map[string]json.RawMessage // of a template: what will run by the name of the element, of those that run
	Workflow string                     // of a step that runs a workflow: blob id of its file
	Plan     string                     // SHA-256, hex, of the plan of its rehearsal that is carried out; empty where there is none
}

// The headings of a page that ReadPage looks for.
const (
	headWhat      = "## What will run"
	headElements  = "## What will run, for each of "
	headRehearsal = "## What it would do, by its rehearsal"
	headWorkflow  = "## The workflow's file, by git blob id"
)

// ReadPage reads a gate page as Gate.Page writes it. Text from elsewhere stands in fences, which it cannot leave: it makes no
// heading. What is not there is empty.
func ReadPage(page []byte) (s Shown) {
	for heading, blocks := range fencesBelow(string(page)) {
		switch {
		case heading == headWhat:
			s.What = json.RawMessage(blocks[0])
		case heading == headWorkflow:
			s.Workflow = blocks[0]
		case heading == headRehearsal && len(blocks) > 1:
			s.Plan = blocks[1]
		case strings.HasPrefix(heading, headElements):
			s.Elements = map[string]json.RawMessage{}
			for line := range strings.SplitSeq(blocks[0], "\n") {
				name, rest, _ := strings.Cut(line, "  ")
				var what json.RawMessage
				if json.NewDecoder(strings.NewReader(rest)).Decode(&what) == nil {
					s.Elements[name] = what
				}
			}
		}
	}
	return s
}

// fencesBelow returns the fenced blocks of a text by the heading that they stand below, at least one for each.
func fencesBelow(text string) map[string][]string {
	out := map[string][]string{}
	heading, fence := "", ""
	var block []string
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case fence != "" && line == fence:
			out[heading] = append(out[heading], strings.Join(block, "\n"))
			fence, block = "", nil
		case fence != "":
			block = append(block, line)
		case strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
		case strings.HasPrefix(line, "#"):
			heading = line
		}
	}
	return out
}
