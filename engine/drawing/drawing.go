// Package drawing draws a directed graph without cycles from above to below: as SVG, as DOT for Graphviz and as Mermaid.
//
// Words:
//
//   - A Node is a box with lines of text, an Edge an arrow between two of them. An edge leads downwards.
//   - A layer is the nodes that have the same number of nodes above them, one after the other.
//   - A bend is where an edge passes a layer in which it neither begins nor ends.
//
// Flow:
//
//	Graph ─ layers (the longest way from above) ─ bends ─ order within each layer (few crossings) ─ places ─ SVG
//
// The texts are foreign: every writer writes them so that they are nothing but text, cut to a bound, without characters that
// have no shape. The same graph gives the same bytes. Nothing is fetched and nothing runs: an SVG holds no script, no style sheet
// and no reference.
//
// The package knows no runbooks. It does not fold large graphs: package render does that for a pull request.
package drawing

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Look is how a node stands out.
type Look string

// The looks.
const (
	Plain Look = "plain" // it changes nothing
	Bold  Look = "bold"  // it changes something
	Asks  Look = "asks"  // people are asked
	Faint Look = "faint" // it does not come about, or is not known
)

// Node is one box.
type Node struct {
	ID    string   // ^[a-z][a-z0-9_]*$, unique
	Lines []string // what stands in it; the first is its name
	Look  Look
	Aside bool // besides the main way
}

// Edge is one arrow. Edges that name a node that is not there, or would lead in a circle, are left out.
type Edge struct {
	From, To string // IDs
	Label    string
	Dashed   bool
}

// Graph is what is drawn.
type Graph struct {
	Title string
	Nodes []Node // each after all nodes from which an edge leads to it
	Edges []Edge
}

// longest is how many characters of one line are drawn.
const longest = 60

// sound returns the graph with texts that can be drawn, and the edges that lead downwards, each once.
func (g Graph) sound() Graph {
	at := map[string]int{}
	out := Graph{Title: visible(g.Title), Nodes: slices.Clone(g.Nodes)}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		at[n.ID] = i
		n.Lines = slices.Clone(n.Lines)
		for j := range n.Lines {
			n.Lines[j] = visible(n.Lines[j])
		}
	}
	seen := map[[2]string]bool{}
	for _, e := range g.Edges {
		from, known := at[e.From]
		to, wanted := at[e.To]
		if !known || !wanted || from >= to || seen[[2]string{e.From, e.To}] {
			continue
		}
		seen[[2]string{e.From, e.To}] = true
		e.Label = visible(e.Label)
		out.Edges = append(out.Edges, e)
	}
	return out
}

// visible makes one line of text of a bounded length, without what has no shape or turns the direction of writing.
func visible(text string) string {
	var b strings.Builder
	n := 0
	for _, c := range strings.Join(strings.Fields(text), " ") {
		if n++; n > longest {
			return b.String() + "…"
		}
		if !unicode.IsPrint(c) {
			c = '\ufffd'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// DOT writes the graph in the language of Graphviz.
func (g Graph) DOT() string {
	g = g.sound()
	var b strings.Builder
	fmt.Fprintf(&b, "digraph {\n  label=%s\n  rankdir=TB\n  node [shape=box style=filled fontname=\"sans-serif\"]\n", quoted(g.Title))
	for _, n := range g.Nodes {
		look := colours(n.Look)
		style := "filled"
		if n.Aside || n.Look == Faint {
			style = "filled,dashed"
		}
		shape := "box"
		if n.Look == Asks {
			shape = "hexagon"
		}
		fmt.Fprintf(&b, "  %s [label=%s shape=%s style=%q fillcolor=%q color=%q fontcolor=%q]\n", n.ID, quoted(n.Lines...), shape, style, look.fill, look.stroke, look.text)
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s", e.From, e.To)
		switch {
		case e.Dashed && e.Label != "":
			fmt.Fprintf(&b, " [style=dashed label=%s]", quoted(e.Label))
		case e.Dashed:
			b.WriteString(" [style=dashed]")
		case e.Label != "":
			fmt.Fprintf(&b, " [label=%s]", quoted(e.Label))
		}
		b.WriteString("\n")
	}
	return b.String() + "}\n"
}

// quoted is a string of DOT. A backslash begins what Graphviz would replace; a quote would end the string.
func quoted(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = escape.Replace(l)
	}
	return `"` + strings.Join(out, `\n`) + `"`
}

// Mermaid writes the graph as a flowchart. Every mark of a text becomes a numeric entity in Mermaid's own form (#NN;), so that
// no quote, directive, HTML or Markdown reaches its parser.
func (g Graph) Mermaid() string {
	g = g.sound()
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	members, aside := map[Look][]string{}, []string(nil)
	for _, n := range g.Nodes {
		lines := make([]string, len(n.Lines))
		for i, l := range n.Lines {
			lines[i] = entities(l)
		}
		text := `"` + strings.Join(lines, "<br/>") + `"`
		if n.Look == Asks {
			text = "{{" + text + "}}"
		} else {
			text = "[" + text + "]"
		}
		fmt.Fprintf(&b, "  %s%s\n", n.ID, text)
		members[n.Look] = append(members[n.Look], n.ID)
		if n.Aside {
			aside = append(aside, n.ID)
		}
	}
	for _, e := range g.Edges {
		line := "-->"
		switch {
		case e.Dashed && e.Label != "":
			line = "-. " + entities(e.Label) + " .->"
		case e.Dashed:
			line = "-.->"
		case e.Label != "":
			line = "-- " + entities(e.Label) + " -->"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", e.From, line, e.To)
	}
	for _, look := range []Look{Plain, Bold, Asks, Faint} {
		if len(members[look]) > 0 {
			c := colours(look)
			fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:%s\n  class %s %s\n", look, c.fill, c.stroke, c.text, strings.Join(members[look], ","), look)
		}
	}
	if len(aside) > 0 {
		fmt.Fprintf(&b, "  classDef aside stroke-dasharray:6 4\n  class %s aside\n", strings.Join(aside, ","))
	}
	return b.String()
}

func entities(text string) string {
	var b strings.Builder
	for _, c := range text {
		if c == ' ' || c == '.' || c == ',' || c == '_' || c == '/' || c == '?' || c > 127 ||
			c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteRune(c)
			continue
		}
		fmt.Fprintf(&b, "#%d;", c)
	}
	return b.String()
}

// colour is what a look is drawn with: text dark enough on its fill for a contrast of at least 7.
type colour struct{ fill, stroke, text string }

func colours(l Look) colour {
	switch l {
	case Bold:
		return colour{"#ddf4ff", "#0969da", "#033d8b"}
	case Asks:
		return colour{"#fff1b8", "#9a6700", "#3b2300"}
	case Faint:
		return colour{"#f6f8fa", "#8c959f", "#424a53"}
	}
	return colour{"#eaeef2", "#57606a", "#1f2328"}
}
