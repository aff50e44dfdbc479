package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds of a diff.
const (
	mostDiff    = 64 << 10 // bytes: the journal keeps it
	mostChanges = 1000     // lines that come and go in one file; of more, everything between the equal ends is taken for changed
	aroundDiff  = 3        // equal lines before and after each change
)

// Diff says which lines of files changed, in the unified form that diff -u and git print, files in the order of their paths. It
// is for people: of more than 64 KiB the rest is left out, and that is said. Equal files give equal bytes.
func Diff(before, after map[string][]byte) string {
	var b strings.Builder
	all := map[string][]byte{}
	maps.Copy(all, before)
	maps.Copy(all, after)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if old, now := string(before[path]), string(after[path]); old != now {
			fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", path, path)
			hunks(&b, linesIn(old), linesIn(now))
		}
	}
	text := strings.ToValidUTF8(b.String(), "\ufffd")
	if len(text) > mostDiff {
		text = strings.ToValidUTF8(text[:mostDiff], "") + "\n[cut: the commit has all of it]\n"
	}
	return text
}

func linesIn(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if n := len(lines); lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}

// move is one line of a diff: kept, taken away or added.
type move struct {
	sign byte // ' ', '-' or '+'
	text string
}

// hunks writes the changes with the lines around them.
func hunks(b *strings.Builder, old, now []string) {
	moves := script(old, now)
	near := make([]bool, len(moves))
	for i, m := range moves {
		if m.sign != ' ' {
			for j := max(0, i-aroundDiff); j < min(len(moves), i+aroundDiff+1); j++ {
				near[j] = true
			}
		}
	}
	oldLine, newLine := 0, 0 // before the line at hand
	for i := 0; i < len(moves); {
		if !near[i] {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		end, oldLen, newLen := i, 0, 0
		for ; end < len(moves) && near[end]; end++ {
			if moves[end].sign != '+' {
				oldLen++
			}
			if moves[end].sign != '-' {
				newLen++
			}
		}
		fmt.Fprintf(b, "@@ -%s +%s @@\n", span(oldLine, oldLen), span(newLine, newLen))
		for _, m := range moves[i:end] {
			b.WriteByte(m.sign)
			b.WriteString(m.text)
			if !strings.HasSuffix(m.text, "\n") {
				b.WriteString("\n\\ No newline at end of file\n")
			}
		}
		i, oldLine, newLine = end, oldLine+oldLen, newLine+newLen
	}
}

// span is the place of a hunk: its first line, or the line before it where it has none.
func span(before, length int) string {
	if length > 0 {
		before++
	}
	return fmt.Sprintf("%d,%d", before, length)
}

// script turns old into now with as few moves as there are, by Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its
// Variations", 1986).
func script(old, now []string) (moves []move) {
	head := 0
	for head < min(len(old), len(now)) && old[head] == now[head] {
		moves = append(moves, move{' ', old[head]})
		head++
	}
	tail := 0
	for tail < min(len(old), len(now))-head && old[len(old)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	a, b := old[head:len(old)-tail], now[head:len(now)-tail]
	if trace := furthest(a, b); trace != nil {
		moves = append(moves, walkBack(a, b, trace)...)
	} else {
		for _, text := range a {
			moves = append(moves, move{'-', text})
		}
		for _, text := range b {
			moves = append(moves, move{'+', text})
		}
	}
	for _, text := range old[len(old)-tail:] {
		moves = append(moves, move{' ', text})
	}
	return moves
}

// furthest is, for each number of changes, how far into a one comes on each diagonal; nil where there are too many changes.
// Diagonal k is that on which as many more lines of a than of b were passed; it stands at k plus the number of changes.
func furthest(a, b []string) (trace [][]int) {
	for d := 0; d <= min(len(a)+len(b), mostChanges); d++ {
		reach := make([]int, 2*d+1)
		for k := -d; k <= d; k += 2 {
			x := begin(trace, d, k)
			for y := x - k; x < len(a) && y < len(b) && a[x] == b[y]; y++ {
				x++
			}
			if reach[k+d] = x; x >= len(a) && x-k >= len(b) {
				return append(trace, reach)
			}
		}
		trace = append(trace, reach)
	}
	return nil
}

// begin is where diagonal k is entered with the last of d changes: from the diagonal below it by a line of a that goes, or from
// the one above it by a line of b that comes.
func begin(trace [][]int, d, k int) int {
	if d == 0 {
		return 0
	}
	before := trace[d-1]
	at := func(k int) int { return before[k+d-1] }
	if k == -d || k != d && at(k-1) < at(k+1) {
		return at(k + 1)
	}
	return at(k-1) + 1
}

// walkBack reads the moves off from the end.
func walkBack(a, b []string, trace [][]int) (moves []move) {
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		k := x - y
		start := begin(trace, d, k)
		for x > start {
			x, y = x-1, y-1
			moves = append(moves, move{' ', a[x]})
		}
		switch {
		case d == 0:
		case k == -d || k != d && trace[d-1][k-1+d-1] < trace[d-1][k+1+d-1]:
			y--
			moves = append(moves, move{'+', b[y]})
		default:
			x--
			moves = append(moves, move{'-', a[x]})
		}
	}
	slices.Reverse(moves)
	return moves
}
