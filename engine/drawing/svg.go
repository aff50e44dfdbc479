package drawing

import (
	"fmt"
	"strings"
)

// SVG draws the graph as a picture that stands alone.
func (g Graph) SVG() string {
	g = g.sound()
	l := laidOut(g)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="ui-monospace, monospace" font-size="%d">`+"\n",
		l.width, l.height, l.width, l.height, fontSize)
	fmt.Fprintf(&b, "<title>%s</title>\n", escaped(g.Title))
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", l.width, l.height)
	for i, e := range g.Edges {
		l.edge(&b, e, l.routes[i])
	}
	for i, n := range g.Nodes {
		l.node(&b, n, l.spots[i])
	}
	return b.String() + "</svg>\n"
}

// edge is drawn as one curve through its bends. It leaves a box at its lower side and meets one at its upper side.
func (l *layout) edge(b *strings.Builder, e Edge, way []int) {
	first := l.spots[way[0]]
	x, y := first.at, l.tops[first.layer]+first.height
	dash := ""
	if e.Dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	fmt.Fprintf(b, `<path fill="none" stroke="#57606a" marker-end="url(#tip)"%s d="M%.1f %.1f`, dash, x, y)
	labelX, labelY := x, y
	for n, i := range way[1:] {
		s := l.spots[i]
		top := l.tops[s.layer]
		mid := (y + top) / 2
		if n == 0 {
			labelX, labelY = (x+s.at)/2, mid
		}
		fmt.Fprintf(b, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, mid, s.at, mid, s.at, top)
		x, y = s.at, top
		if s.node < 0 && s.layer+1 < len(l.tops) { // straight past the boxes of the layer
			y = l.tops[s.layer+1] - betweenRow
			fmt.Fprintf(b, "V%.1f", y)
		}
	}
	b.WriteString(`"/>` + "\n")
	if e.Label != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="#424a53">%s</text>`+"\n", labelX+4, labelY, escaped(e.Label))
	}
}

func (l *layout) node(b *strings.Builder, n Node, s spot) {
	c, x, y := colours(n.Look), s.at-s.width/2, l.tops[s.layer]
	dash, weight, corner := "", 1, 4
	if n.Aside || n.Look == Faint {
		dash = ` stroke-dasharray="6 4"`
	}
	if n.Look == Asks {
		weight, corner = 3, 14
	}
	fmt.Fprintf(b, `<g id="step-%s"><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%d" fill="%s" stroke="%s" stroke-width="%d"%s/>`,
		escaped(n.ID), x, y, s.width, s.height, corner, c.fill, c.stroke, weight, dash)
	for i, line := range n.Lines {
		bold := ""
		if i == 0 {
			bold = ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s"%s>%s</text>`, x+padding, y+padding+float64(i)*lineHeight+fontSize, c.text, bold, escaped(line))
	}
	b.WriteString("</g>\n")
}

// escaped is text of XML, in an element or an attribute. All its characters have a shape: XML allows them.
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(text)
}
