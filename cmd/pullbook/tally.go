package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// tally counts requests to the local hub by what they are.
type tally struct {
	mu    *sync.Mutex
	count map[string]int
}

func newTally() tally { return tally{mu: &sync.Mutex{}, count: map[string]int{}} }

// add is the hub's OnRequest.
func (t tally) add(method, pattern string, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count[fmt.Sprintf("%s %s %d", method, pattern, status)]++
}

// lines lists the requests, sorted, each with how often it was made.
func (t tally) lines(keep func(call string) bool) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for call, n := range t.count {
		if keep(call) {
			lines = append(lines, fmt.Sprintf("%4d %s\n", n, call))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[5:], b[5:]) })
	return strings.Join(lines, "")
}
