package runbook

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Constraint is what a runbook's match demands of one field of an alert.
type Constraint struct {
	Field string    `json:"field"` // such as name or labels.service
	Want  Condition `json:"want"`
	At    Spot      `json:"at"`
}

// Spot is a place in a file of the ledger.
type Spot struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1; 0 when it is the whole file
	Column int    `json:"column"` // in bytes, from 1
}

func (p Spot) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Condition is a condition on a text.
type Condition struct {
	Op    string      `json:"op,omitempty"`    // one of the operators below; empty: one that only evaluation can decide
	Text  string      `json:"text,omitempty"`  // beside Equals, Differs, Fits and FitsNot
	Parts []Condition `json:"parts,omitempty"` // of All and Any
}

// The operators of conditions, as CUE writes them.
const (
	Equals  = "=="
	Differs = "!="
	Fits    = "=~" // a regular expression of RE2, as CUE has it
	FitsNot = "!~"
	All     = "&"
	Any     = "|"
)

// answer is what is known of a condition.
type answer int

const (
	unknown answer = iota
	no
	yes
)

func answered(b bool) answer {
	if b {
		return yes
	}
	return no
}

// holds says whether a text meets a condition.
func (c Condition) holds(text string) answer {
	switch c.Op {
	case Equals:
		return answered(text == c.Text)
	case Differs:
		return answered(text != c.Text)
	case Fits, FitsNot:
		r, err := regexp.Compile(c.Text)
		if err != nil {
			return unknown // unreachable: CUE has compiled it as well
		}
		return answered(r.MatchString(text) == (c.Op == Fits))
	case All:
		return c.most(text, no)
	case Any:
		return c.most(text, yes)
	}
	return unknown
}

// most is the answer of parts of which one that is decisive decides.
func (c Condition) most(text string, decisive answer) answer {
	out := yes + no - decisive
	for _, p := range c.Parts {
		switch p.holds(text) {
		case decisive:
			return decisive
		case unknown:
			out = unknown
		}
	}
	return out
}

// samples are texts among which one meets the condition, as far as one was found by looking at it.
func (c Condition) samples() (out []string) {
	switch c.Op {
	case Equals:
		return []string{c.Text}
	case Fits:
		if r, err := syntax.Parse(c.Text, syntax.Perl); err == nil {
			if text, ok := sampleOf(r.Simplify()); ok {
				out = append(out, text)
			}
		}
	case Differs, FitsNot:
		out = append(out, c.Text+"x", "x")
	}
	for _, p := range c.Parts {
		out = append(out, p.samples()...)
	}
	return out
}

// Sample is an alert that a match takes, as texts by the names that constraints have for its fields. There is none where looking
// at the constraints did not find one, or where only evaluation can decide them.
func Sample(match []Constraint) (fields map[string]string, ok bool) {
	fields = map[string]string{}
	for _, k := range match {
		want := Condition{Op: All}
		for _, other := range match {
			if other.Field == k.Field {
				want.Parts = append(want.Parts, other.Want)
			}
		}
		if fields[k.Field], ok = meet(want, want); !ok {
			return nil, false
		}
	}
	return fields, len(match) > 0
}

// longestSample bounds the text that is made of a regular expression, in bytes: {1000} may stand inside of {1000}.
const longestSample = 1 << 10

// sampleOf is a text that contains what a regular expression means, and false if it means nothing. Where the expression
// says that nothing else surrounds the text, or that a word ends, the text may fail: whoever uses it asks the expression.
func sampleOf(r *syntax.Regexp) (string, bool) {
	switch r.Op {
	case syntax.OpNoMatch:
		return "", false
	case syntax.OpLiteral:
		return string(r.Rune), true
	case syntax.OpCharClass:
		for _, wanted := range "ax0A_-. " { // a plain letter where there is one
			for i := 0; i+1 < len(r.Rune); i += 2 {
				if r.Rune[i] <= wanted && wanted <= r.Rune[i+1] {
					return string(wanted), true
				}
			}
		}
		if len(r.Rune) == 0 {
			return "", false
		}
		return string(r.Rune[0]), true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x", true
	case syntax.OpCapture, syntax.OpPlus:
		return sampleOf(r.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return "", true
	case syntax.OpRepeat:
		one, ok := sampleOf(r.Sub[0])
		if r.Min == 0 {
			return "", true
		}
		return strings.Repeat(one, min(r.Min, 1+longestSample/max(1, len(one)))), ok
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range r.Sub {
			one, ok := sampleOf(sub)
			if !ok || b.Len() > longestSample {
				return "", false
			}
			b.WriteString(one)
		}
		return b.String(), true
	case syntax.OpAlternate:
		for _, sub := range r.Sub {
			if one, ok := sampleOf(sub); ok {
				return one, true
			}
		}
		return "", false
	}
	return "", true // the empty match, and the edges of lines and words
}

// meet returns a text that meets both conditions, if looking at them has found one.
func meet(a, b Condition) (string, bool) {
	for _, text := range slices.Concat(a.samples(), b.samples()) {
		if a.holds(text) == yes && b.holds(text) == yes {
			return text, true
		}
	}
	return "", false
}
