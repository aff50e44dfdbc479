package drawing

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func sample(n int) Graph {
	g := Graph{Title: "A & B"}
	for i := range n {
		id := fmt.Sprintf("s%d", i)
		g.Nodes = append(g.Nodes, Node{ID: id, Lines: []string{id, "does something"}, Look: []Look{Plain, Bold, Asks, Faint}[i%4]})
		for _, from := range []int{i - 1, i - 3, i / 2} {
			if from >= 0 && i%3 > 0 {
				g.Edges = append(g.Edges, Edge{From: fmt.Sprintf("s%d", from), To: id, Dashed: i%2 == 0})
			}
		}
	}
	return g
}

// TestLayout shows of graphs of many sizes that every edge leads down, that no two boxes of a layer touch, and that all of it is
// in the picture.
func TestLayout(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5, 40, 300} {
		g := sample(n).sound()
		l := laidOut(g)
		for i, e := range g.Edges {
			way := l.routes[i]
			if g.Nodes[l.spots[way[0]].node].ID != e.From || g.Nodes[l.spots[way[len(way)-1]].node].ID != e.To {
				t.Fatalf("%d nodes: edge %v goes another way", n, e)
			}
			for j := range way[1:] {
				if l.spots[way[j]].layer+1 != l.spots[way[j+1]].layer {
					t.Fatalf("%d nodes: edge %v jumps", n, e)
				}
			}
		}
		for _, layer := range l.layers {
			for j, i := range layer {
				s := l.spots[i]
				if s.at-s.width/2 < 0 || s.at+s.width/2 > l.width {
					t.Errorf("%d nodes: a box is outside: %+v of %f", n, s, l.width)
				}
				if j > 0 {
					before := l.spots[layer[j-1]]
					if before.at+before.width/2 > s.at-s.width/2 {
						t.Errorf("%d nodes: two boxes overlap: %+v %+v", n, before, s)
					}
				}
			}
		}
	}
}

// TestCrossings: two pairs of boxes are put so that their edges do not cross.
func TestCrossings(t *testing.T) {
	g := Graph{Nodes: []Node{{ID: "a", Lines: []string{"a"}}, {ID: "b", Lines: []string{"b"}}, {ID: "c", Lines: []string{"c"}}, {ID: "d", Lines: []string{"d"}}},
		Edges: []Edge{{From: "a", To: "d"}, {From: "b", To: "c"}}}
	l := laidOut(g.sound())
	if (l.spots[0].at < l.spots[1].at) != (l.spots[3].at < l.spots[2].at) {
		t.Errorf("the edges cross: %+v", l.spots)
	}
}

// TestForeignText draws texts that try to be more than text, in every language.
func TestForeignText(t *testing.T) {
	hostile := []string{`"></text><script>alert(1)</script>`, "%%{init: x}%%", `a"];evil[label="`, "\x00\x1b[31m\u202e", `\N\G`, "<!--", "]]>", `{{x}}`, strings.Repeat("w", 500)}
	g := Graph{Title: hostile[0], Nodes: []Node{{ID: "a", Lines: hostile}, {ID: "b", Lines: hostile[:1]}}, Edges: []Edge{{From: "a", To: "b", Label: hostile[2]}}}
	svg := g.SVG()
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
		if e, ok := tok.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "a") {
			t.Errorf("an element %s", e.Name.Local)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(g.DOT()), "\n") {
		if n := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\"`, ""), `"`); n%2 != 0 {
			t.Errorf("DOT: a string is not closed: %s", line)
		}
	}
	mermaid := g.Mermaid()
	for _, bad := range []string{"<script", "%%{", `"]`, "{{x}}", "\x00"} {
		if strings.Contains(strings.ReplaceAll(mermaid, "\"]\n", "\n"), bad) {
			t.Errorf("Mermaid holds %q:\n%s", bad, mermaid)
		}
	}
	for _, text := range []string{svg, g.DOT(), mermaid} {
		if strings.ContainsAny(text, "\x00\x1b\u202e") || strings.Contains(text, strings.Repeat("w", longest+1)) {
			t.Errorf("what has no shape, or no bound, is drawn:\n%.300s", text)
		}
	}
}

// TestEdges: what leads nowhere, upwards or twice is left out.
func TestEdges(t *testing.T) {
	g := Graph{Nodes: []Node{{ID: "a"}, {ID: "b"}}, Edges: []Edge{{From: "a", To: "b"}, {From: "a", To: "b"}, {From: "b", To: "a"}, {From: "a", To: "a"}, {From: "x", To: "b"}}}
	if got := g.sound().Edges; len(got) != 1 || got[0].From != "a" {
		t.Errorf("%+v", got)
	}
}

func BenchmarkSVG300(b *testing.B) {
	g := sample(300)
	for b.Loop() {
		if len(g.SVG()) == 0 {
			b.Fatal("nothing is drawn")
		}
	}
}
