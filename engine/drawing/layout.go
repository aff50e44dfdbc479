package drawing

import (
	"cmp"
	"slices"
)

// Sizes, in the units of the drawing.
const (
	charWidth  = 7.4 // of the font below, and a little more
	lineHeight = 17.0
	fontSize   = 12
	padding    = 10.0
	between    = 22.0 // two boxes of a layer
	betweenRow = 46.0 // two layers
	margin     = 16.0
)

// Bounds of the work: sweeps that look for fewer crossings, and bends of all edges together. With more, long edges go straight.
const (
	sweeps   = 8
	mostBent = 20_000
)

// spot is a node in its layer, or the bend of an edge.
type spot struct {
	node   int // -1: a bend
	layer  int
	at     float64 // the middle
	width  float64
	height float64
	up     []int // spots above that it is connected with
	down   []int
}

// layout is a graph with places.
type layout struct {
	spots  []spot
	layers [][]int // spots, from left to right
	routes [][]int // of each edge: the spots from its beginning to its end
	tops   []float64
	width  float64
	height float64
}

func laidOut(g Graph) *layout {
	l := &layout{}
	l.place(g)
	l.route(g)
	l.arrange()
	l.measure()
	return l
}

// place gives each node the layer below all that lead to it.
func (l *layout) place(g Graph) {
	at := map[string]int{}
	for i, n := range g.Nodes {
		at[n.ID] = i
		w := 0
		for _, line := range n.Lines {
			w = max(w, columns(line))
		}
		l.spots = append(l.spots, spot{node: i, width: float64(w)*charWidth + 2*padding, height: float64(len(n.Lines))*lineHeight + 2*padding})
	}
	into := make([][]int, len(g.Nodes))
	for _, e := range g.Edges {
		into[at[e.To]] = append(into[at[e.To]], at[e.From])
	}
	for i := range g.Nodes { // in order: what leads to a node comes before it
		for _, from := range into[i] {
			l.spots[i].layer = max(l.spots[i].layer, l.spots[from].layer+1)
		}
	}
}

// route leads each edge from layer to layer.
func (l *layout) route(g Graph) {
	at, bends := map[string]int{}, 0
	for i, n := range g.Nodes {
		at[n.ID] = i
	}
	for _, e := range g.Edges {
		bends += l.spots[at[e.To]].layer - l.spots[at[e.From]].layer - 1
	}
	for _, e := range g.Edges {
		from, to := at[e.From], at[e.To]
		way := []int{from}
		for layer := l.spots[from].layer + 1; layer < l.spots[to].layer && bends <= mostBent; layer++ {
			l.spots = append(l.spots, spot{node: -1, layer: layer, width: between / 2})
			way = append(way, len(l.spots)-1)
		}
		way = append(way, to)
		for i := range way[1:] {
			l.spots[way[i]].down = append(l.spots[way[i]].down, way[i+1])
			l.spots[way[i+1]].up = append(l.spots[way[i+1]].up, way[i])
		}
		l.routes = append(l.routes, way)
	}
	for i, s := range l.spots {
		for len(l.layers) <= s.layer {
			l.layers = append(l.layers, nil)
		}
		l.layers[s.layer] = append(l.layers[s.layer], i)
	}
}

// arrange orders the layers so that few edges cross: each spot goes to the mean of those that it is connected with, looked at
// from above and from below in turn. Then the spots move towards these means as far as their neighbours let them.
func (l *layout) arrange() {
	for _, layer := range l.layers {
		l.pack(layer)
	}
	for n := range sweeps {
		for i := range l.layers {
			layer, look := l.layers[i], func(s spot) []int { return s.up }
			if n%2 == 1 {
				layer, look = l.layers[len(l.layers)-1-i], func(s spot) []int { return s.down }
			}
			wish := l.wishes(layer, look)
			slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(wish[a], wish[b]) })
			l.pack(layer)
			l.pull(layer, wish)
		}
	}
}

// wishes is where each spot of a layer would be best, by the spots that it is connected with on one side.
func (l *layout) wishes(layer []int, look func(spot) []int) map[int]float64 {
	wish := make(map[int]float64, len(layer))
	for _, i := range layer {
		wish[i] = l.spots[i].at
		if ends := look(l.spots[i]); len(ends) > 0 {
			sum := 0.0
			for _, e := range ends {
				sum += l.spots[e].at
			}
			wish[i] = sum / float64(len(ends))
		}
	}
	return wish
}

// pack puts the spots of a layer side by side, around the middle of the drawing.
func (l *layout) pack(layer []int) {
	total := -between
	for _, i := range layer {
		total += l.spots[i].width + between
	}
	x := -total / 2
	for _, i := range layer {
		l.spots[i].at = x + l.spots[i].width/2
		x += l.spots[i].width + between
	}
}

// pull moves the spots of a layer as near to their wishes as their order and the room between them allow: each as far to the
// right as it wants, and then all that stand too near to their right neighbour back to the left.
func (l *layout) pull(layer []int, wish map[int]float64) {
	least := func(a, b int) float64 { return (l.spots[a].width+l.spots[b].width)/2 + between }
	for n, i := range layer {
		l.spots[i].at = wish[i]
		if n > 0 {
			l.spots[i].at = max(wish[i], l.spots[layer[n-1]].at+least(layer[n-1], i))
		}
	}
	over := 0.0 // how far the layer has moved to the right as a whole
	for _, i := range layer {
		over += l.spots[i].at - wish[i]
	}
	for _, i := range layer {
		l.spots[i].at -= over / float64(len(layer))
	}
}

// measure finds the tops of the layers and the size of the whole, and moves everything to the right of the margin.
func (l *layout) measure() {
	left, right, top := 0.0, 0.0, margin
	for n, layer := range l.layers {
		height := 0.0
		for _, i := range layer {
			s := l.spots[i]
			height = max(height, s.height)
			if first := n == 0 && i == layer[0]; first || s.at-s.width/2 < left {
				left = s.at - s.width/2
			}
			right = max(right, s.at+s.width/2)
		}
		l.tops = append(l.tops, top)
		top += height + betweenRow
	}
	l.height = max(top-betweenRow+margin, 2*margin)
	for i := range l.spots {
		l.spots[i].at += margin - left
	}
	l.width = right - left + 2*margin
}

// columns is how wide a text is, in characters: those of East Asia and pictures take two.
func columns(text string) int {
	n := 0
	for _, c := range text {
		n++
		if c >= 0x1100 {
			n++
		}
	}
	return n
}
