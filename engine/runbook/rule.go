package runbook

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Approval is the rule of a gate. It is met when every part that is written is met: Count people of From, each rule of
// All, and one rule of Any. No person counts twice in a rule, however many of its parts name them.
type Approval struct {
	From  []string `json:"from,omitempty"`  // users (login) and teams (org/slug)
	Count int      `json:"count,omitempty"` // distinct people of From, at least 1 where From is written
	// Whence says of those of From whom a word stood for what they are: "owner of service shop".
	Whence map[string]string `json:"whence,omitempty"`
	All    []Approval        `json:"all,omitempty"`
	Any    []Approval        `json:"any,omitempty"`
	Within time.Duration     `json:"within,omitempty"` // of the outermost rule: how long people have to answer; 0 means no limit
	// OnTimeout is what follows when nobody has answered in time; empty where Within is 0.
	OnTimeout OnTimeout     `json:"on_timeout,omitempty"`
	Remind    time.Duration `json:"remind,omitempty"` // how long before that people are reminded; 0: never
	// Escalate are the lists of people that are asked one after the other, besides those before, each when the time of the one
	// before is over or when nobody of it is left. Each has a time of its own.
	Escalate []Approval `json:"escalate,omitempty"`
	NoGlass  bool       `json:"no_glass,omitempty"` // nobody may break the glass
}

// BreakGlass says who may open a gate by their word alone, and what is owed for it.
type BreakGlass struct {
	By     []string `json:"by"`               // users (login) and teams (org/slug)
	Review Approval `json:"review"`           // what has to be met afterwards, before the incident is merged
	Notify []string `json:"notify,omitempty"` // who is told, besides those who review it
}

// Bounds of a rule as an author writes it. A rule within them has at most 18 ways.
const (
	MaxRuleLeaves = 8 // lists of people
	MaxRuleDepth  = 3 // rules inside of rules, the outermost counted
)

// maxWays bounds what is tried: a rule that was put together out of several and has more cannot be met.
const maxWays = 10_000

// maxPeople is more than anybody asks for, and far from where counts could overflow.
const maxPeople = 1_000

// Leaf is a number of people out of a list of users and teams.
type Leaf struct {
	From   []string
	Count  int
	Whence map[string]string // as in the rule
}

// String is the leaf in words, for example "2 of acme/sre, alice".
func (l Leaf) String() string { return fmt.Sprintf("%d of %s", l.Count, named(l.From, l.Whence)) }

// Ways lists in how many ways a rule can be met: each way is the leaves that must all be met, by different people. There
// is none where nobody could meet it: a rule without people, or a part of it that asks for nobody.
func (a Approval) Ways() [][]Leaf {
	var ways [][]Leaf
	if len(a.From) > 0 || a.Count != 0 {
		if len(a.From) == 0 || a.Count < 1 || a.Count > maxPeople {
			return nil
		}
		ways = [][]Leaf{{{From: a.From, Count: a.Count, Whence: a.Whence}}}
	} else if len(a.All) > 0 || len(a.Any) > 0 {
		ways = [][]Leaf{nil}
	}
	for _, part := range a.All {
		ways = crossed(ways, part.Ways())
	}
	if len(a.Any) == 0 {
		return ways
	}
	var either [][]Leaf
	for _, part := range a.Any {
		either = append(either, part.Ways()...)
		if len(either) > maxWays {
			return nil
		}
	}
	return crossed(ways, either)
}

// Least is how many people it takes to meet a rule at the least; more than there are where nobody can meet it.
func (a Approval) Least() int {
	least := math.MaxInt
	for _, way := range a.Ways() {
		people := 0
		for _, leaf := range way {
			people += leaf.Count
		}
		least = min(least, people)
	}
	return least
}

// crossed are the ways to meet two rules at once.
func crossed(a, b [][]Leaf) [][]Leaf {
	if len(a)*len(b) > maxWays {
		return nil
	}
	var out [][]Leaf
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

// People lists the users and teams that a rule names anywhere, each once, in the order in which it names them.
func (a Approval) People() []string {
	out := slices.Clone(a.From)
	for _, part := range slices.Concat(a.All, a.Any) {
		out = append(out, part.People()...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(who string) bool {
		again := seen[strings.ToLower(who)]
		seen[strings.ToLower(who)] = true
		return again
	})
}

// equal reports whether two rules are written alike.
func (a Approval) equal(b Approval) bool {
	same := func(x, y Approval) bool { return x.equal(y) }
	return a.Count == b.Count && a.sameTime(b) && maps.Equal(a.Whence, b.Whence) && slices.Equal(a.From, b.From) && slices.EqualFunc(a.All, b.All, same) &&
		slices.EqualFunc(a.Any, b.Any, same)
}

// Leaves is how many lists of people a rule has.
func (a Approval) Leaves() int {
	n := min(len(a.From), 1)
	for _, part := range slices.Concat(a.All, a.Any) {
		n += part.Leaves()
	}
	return n
}

// Depth is how deep rules stand inside of a rule: 1 for one without parts.
func (a Approval) Depth() int {
	deepest := 0
	for _, part := range slices.Concat(a.All, a.Any) {
		deepest = max(deepest, part.Depth())
	}
	return 1 + deepest
}

// String says the rule in words, for example "2 of acme/sre, alice and (1 of acme/dba or 1 of acme/lead) within 15m".
func (a *Approval) String() string { return a.said(Span) }

// onPage is String as gate pages have it: their bytes are what votes are bound to, so lengths of time stay in the form that they had.
func (a *Approval) onPage() string { return a.said(time.Duration.String) }

func (a *Approval) said(form func(time.Duration) string) string {
	if a == nil {
		return "none"
	}
	s := a.words() + a.timed(form)
	for _, next := range a.Escalate {
		s += ", then also " + next.words() + next.timed(form)
	}
	return s
}

func (a *Approval) words() string {
	var parts []string
	if len(a.From) > 0 || a.Count != 0 {
		parts = append(parts, Leaf{a.From, a.Count, a.Whence}.String())
	}
	for _, part := range a.All {
		parts = append(parts, part.inside())
	}
	var either []string
	for _, part := range a.Any {
		either = append(either, part.inside())
	}
	if one := strings.Join(either, " or "); len(parts) > 0 && len(either) > 1 {
		parts = append(parts, "("+one+")")
	} else if one != "" {
		parts = append(parts, one)
	}
	if len(parts) == 0 {
		return "nobody"
	}
	return strings.Join(parts, " and ")
}

// inside is a rule as a part of another: in brackets where it has parts of its own.
func (a *Approval) inside() string {
	if len(a.All) == 0 && len(a.Any) == 0 {
		return a.words()
	}
	return "(" + a.words() + ")"
}
