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
// than 60 steps it shows layers: of the steps that need equally many steps before them, one after the other, those that
// matter now have a node of their own.
func Graph(p runbook.Plan, s incident.State) string {
	return newBoard(p, s, incident.View{}).graph()
}

func (b board) graph() string {
	rows := b.top()
	if len(rows) > graphSteps {
		return layered(rows)
	}
	c := chart{node: map[string]string{}, drawn: rows}
	var out strings.Builder
	out.WriteString("flowchart TD\n")
	for _, r := range rows {
		c.node[r.step.Name] = fmt.Sprintf("s%d", r.index)
		fmt.Fprintf(&out, "  %s%s\n", c.node[r.step.Name], shape(r))
	}
	c.edges(&out, rows)
	members := map[class][]string{}
	for _, r := range rows {
		members[r.drawn()] = append(members[r.drawn()], c.node[r.step.Name])
	}
	styles(&out, members)
	c.asides(&out)
	return out.String()
}

// chart assigns the steps to nodes.
type chart struct {
	node  map[string]string // step to node
	drawn []row             // those with a node of their own
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
			if e.from == "" || seen[e] {
				continue // what it needs is of no concern to people
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

// styles colours the nodes of each class.
func styles(out *strings.Builder, members map[class][]string) {
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
}

// asides marks what stands besides the way to the solution.
func (c *chart) asides(out *strings.Builder) {
	var aside []string
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
