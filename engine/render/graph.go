package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Bounds of a graph that a person can still read. Mermaid itself draws at most 500 edges and 50,000 characters
// (maxEdges and maxTextSize in its configuration).
const (
	graphSteps  = 60
	graphEdges  = 400
	graphLabel  = 48
	graphBudget = 24_000
)

// Graph is a Mermaid flowchart: a node for each step with its class, an edge from each step to those that need it. With more
// than 60 steps, those that are over become one node, and what does not fit becomes another.
func Graph(p runbook.Plan, s incident.State) string {
	return newBoard(p, s, incident.View{}).graph()
}

func (b board) graph() string {
	c := chart{node: map[string]string{}}
	over, later := c.place(b.top())
	var out strings.Builder
	out.WriteString("flowchart TD\n")
	if over > 0 {
		fmt.Fprintf(&out, "  over[\"%s over\"]\n", plural(over, "step is", "steps are"))
	}
	for _, r := range c.drawn {
		fmt.Fprintf(&out, "  %s%s\n", c.node[r.step.Name], shape(r))
	}
	if later > 0 {
		fmt.Fprintf(&out, "  later[\"%s\"]\n", plural(later, "more step", "more steps"))
	}
	c.edges(&out, b.top())
	c.classes(&out, over > 0, later > 0)
	return out.String()
}

// chart assigns the steps to nodes.
type chart struct {
	node  map[string]string // step to node
	drawn []row             // those with a node of their own
}

// place gives each row a node and returns how many are folded into the node of what is over and of what comes later.
func (c *chart) place(rows []row) (over, later int) {
	fold := len(rows) > graphSteps
	for _, r := range rows {
		waits := r.drawn() == classWaiting
		switch {
		case fold && (r.drawn() == classDone || r.drawn() == classSkipped):
			c.node[r.step.Name] = "over"
			over++
		case fold && (len(c.drawn) >= graphSteps || waits && len(c.drawn) >= graphSteps/2):
			c.node[r.step.Name] = "later"
			later++
		default:
			c.node[r.step.Name] = fmt.Sprintf("s%d", r.index)
			c.drawn = append(c.drawn, r)
		}
	}
	return over, later
}

func (c *chart) edges(out *strings.Builder, rows []row) {
	type edge struct{ from, to string }
	seen := map[edge]bool{}
	left := 0
	for _, r := range rows {
		needs, line := r.step.Needs, "-->"
		switch r.step.Stage {
		case runbook.StageUndo:
			needs, line = []string{r.step.Undoes}, "-. undo .->"
		case runbook.StageFinally:
			line = "-.->"
		}
		for _, need := range needs {
			e := edge{c.node[need], c.node[r.step.Name]}
			if e.from == "" || e.from == e.to || e.to == "over" || e.from == "later" || seen[e] {
				continue // within one folded node, or against the direction that folding keeps
			}
			seen[e] = true
			if len(seen) > graphEdges {
				left++
				continue
			}
			fmt.Fprintf(out, "  %s %s %s\n", e.from, line, e.to)
		}
	}
	if left > 0 {
		fmt.Fprintf(out, "  more[\"%s not drawn\"]\n", plural(left, "edge is", "edges are"))
	}
}

func (c *chart) classes(out *strings.Builder, over, later bool) {
	members := map[class][]string{}
	for _, r := range c.drawn {
		members[r.drawn()] = append(members[r.drawn()], c.node[r.step.Name])
	}
	if over {
		members[classDone] = append(members[classDone], "over")
	}
	if later {
		members[classWaiting] = append(members[classWaiting], "later")
	}
	for _, style := range []struct {
		class class
		look  string
	}{ // text dark enough on each fill for a contrast of at least 7, in a light and in a dark page
		{classWaiting, "fill:#eaeef2,stroke:#57606a,color:#1f2328"},
		{classGate, "fill:#fff1b8,stroke:#9a6700,color:#3b2300,stroke-width:3px"},
		{classRunning, "fill:#ddf4ff,stroke:#0969da,color:#033d8b,stroke-width:3px"},
		{classDone, "fill:#dafbe1,stroke:#1a7f37,color:#044f1e"},
		{classFailed, "fill:#ffebe9,stroke:#cf222e,color:#82071e,stroke-width:3px"},
		{classSkipped, "fill:#f6f8fa,stroke:#8c959f,color:#424a53,stroke-dasharray:4 3"},
	} {
		if nodes := members[style.class]; len(nodes) > 0 {
			fmt.Fprintf(out, "  classDef %s %s\n  class %s %s\n", style.class, style.look, strings.Join(nodes, ","), style.class)
		}
	}
	var aside []string // besides the way to the solution
	for _, r := range c.drawn {
		if r.step.Stage != runbook.StageMain {
			aside = append(aside, c.node[r.step.Name])
		}
	}
	if len(aside) > 0 {
		fmt.Fprintf(out, "  classDef aside stroke-dasharray:6 4\n  class %s aside\n", strings.Join(aside, ","))
	}
}

// shape is the node's form and label: a hexagon where people are asked, a rectangle otherwise.
func shape(r row) string {
	text := label(r.step.Name)
	if r.step.Title != "" && r.step.Title != r.step.Name {
		text += "<br/>" + label(r.step.Title)
	}
	if r.step.Each && (r.st.Phase == incident.PhaseEach || r.st.Phase == incident.PhaseEnded) {
		text += "<br/>" + label(r.word)
	}
	if r.drawn() == classGate || r.step.Approval != nil {
		return `{{"` + text + `"}}`
	}
	return `["` + text + `"]`
}

// label writes foreign text for a quoted label of Mermaid. Everything but letters, digits and a few harmless marks becomes
// a numeric entity in Mermaid's own form (#NN;), so no quote, directive (%%{), HTML or Markdown reaches its parser.
func label(text string) string {
	var b strings.Builder
	for _, c := range plain(text, graphLabel) {
		if c == ' ' || c == '.' || c == ',' || c == '_' || c == '/' || c == '?' || c > 127 ||
			c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteRune(c)
			continue
		}
		fmt.Fprintf(&b, "#%d;", c)
	}
	return b.String()
}
