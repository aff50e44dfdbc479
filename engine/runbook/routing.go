package runbook

import (
	"cmp"
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"
)

// Idle reports matches that no alert can meet.
func (c Checkup) Idle() (ps []Problem) {
	if !c.Facts.Matches {
		return nil
	}
	if len(c.Facts.Match) == 0 {
		return []Problem{problem(c.Facts.At, "match", "constrains nothing, and so the runbook answers no alert",
			"say which alerts it answers, or leave match out")}
	}
	for _, k := range c.Facts.Match {
		text, hint := k.Want.impossible(k.Field)
		if text != "" {
			ps = append(ps, problem(k.At, "match."+k.Field, text, hint))
		}
	}
	return ps
}

// impossible says why no alert meets a condition on a field. Evaluation itself refuses values that contradict each other.
func (c Condition) impossible(field string) (text, hint string) {
	switch {
	case field == "status" && c.holds("firing") == no && c.holds("resolved") == yes:
		return "an alert that is resolved opens no incident", "leave status out"
	case field == "status" && c.holds("firing") == no && c.holds("resolved") == no:
		return "the status of an alert is firing or resolved", "leave status out"
	case c.Op == Equals && c.Text == "" && slices.Contains([]string{"name", "source", "group", "fingerprint"}, field):
		return fmt.Sprintf("no alert is without a %s", field), ""
	case c.Op == Fits && wrongPattern(c.Text) != "":
		return fmt.Sprintf("%q is no regular expression: %s", c.Text, wrongPattern(c.Text)), "CUE takes those of RE2"
	case c.Op == Fits && len(c.samples()) == 0:
		return fmt.Sprintf("no text fits %q", c.Text), ""
	case c.Op == All:
		for _, part := range c.Parts {
			if text, hint = part.impossible(field); text != "" {
				return text, hint
			}
		}
	}
	return "", ""
}

// wrongPattern says what is wrong with a regular expression, or nothing.
func wrongPattern(text string) string {
	if _, err := syntax.Parse(text, syntax.Perl); err != nil {
		return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	return ""
}

// Rivals reports runbooks that match the same alert with as many constraints on the same fields: which of them answers is
// then decided by their names alone. The problem stands at the one that comes later by name, and so never answers such an
// alert, or at the other if only that is among ours; of two that are not ours nothing is said. Constraints that only
// evaluation can decide are taken to differ.
func Rivals(all []Checkup, ours func(name string) bool) (ps []Problem) {
	groups := map[string][]Checkup{}
	for _, c := range all {
		if key := fieldsOf(c.Facts.Match); key != "" {
			groups[key] = append(groups[key], c)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		group := groups[key]
		slices.SortFunc(group, func(a, b Checkup) int { return strings.Compare(a.Runbook, b.Runbook) })
		for i, later := range group {
			for _, first := range group[:i] {
				if !ours(first.Runbook) && !ours(later.Runbook) {
					continue
				}
				if alert, ok := shared(first.Facts.Match, later.Facts.Match); ok {
					ps = append(ps, rivalry(first, later, alert, ours(later.Runbook)))
					break
				}
			}
		}
	}
	return ps
}

func rivalry(first, later Checkup, alert string, atLater bool) Problem {
	here, there := first, later
	text := fmt.Sprintf("takes the alerts of %s, such as %s, since it comes first by its name", later.Runbook, alert)
	if atLater {
		here, there = later, first
		text = fmt.Sprintf("%s matches the same alerts, such as %s, and comes first by its name", first.Runbook, alert)
	}
	p := problem(here.Facts.At, "match", text, "add a constraint to one of them")
	p.See = &See{"the other match is at", there.Facts.At}
	return p
}

// fieldsOf names the fields that are constrained.
func fieldsOf(match []Constraint) string {
	names := make([]string, len(match))
	for i, k := range match {
		names[i] = k.Field
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// shared describes an alert that meets both of two matches with constraints on the same fields.
func shared(a, b []Constraint) (string, bool) {
	var words []string
	for _, k := range sorted(a) {
		for _, other := range b {
			if other.Field != k.Field {
				continue
			}
			text, ok := meet(k.Want, other.Want)
			if !ok {
				return "", false
			}
			words = append(words, fmt.Sprintf("%s %q", k.Field, text))
		}
	}
	return strings.Join(words, ", "), true
}

func sorted(match []Constraint) []Constraint {
	return slices.SortedFunc(slices.Values(match), func(a, b Constraint) int { return cmp.Compare(a.Field, b.Field) })
}

// AlertRule is an alert that a monitoring tool is configured to raise, as far as that is known before it does.
type AlertRule struct {
	Fields map[string]string // by the name that a constraint has for it, such as name or labels.severity
	At     Spot
}

// Unanswered reports rules whose alerts no runbook can match. A field that a rule does not tell may have any value.
func Unanswered(rules []AlertRule, all []Checkup) (ps []Problem) {
	for _, r := range rules {
		if slices.ContainsFunc(all, func(c Checkup) bool { return r.mayMeet(c.Facts.Match) }) {
			continue
		}
		hint := "write one, or let one match it"
		if near := Nearest(r.Fields["name"], wantedNames(all)); near != "" {
			hint = fmt.Sprintf("a runbook matches the name %s", near)
		}
		ps = append(ps, problem(r.At, "", fmt.Sprintf("no runbook answers the alert %s", r.Fields["name"]), hint))
	}
	return ps
}

func (r AlertRule) mayMeet(match []Constraint) bool {
	for _, k := range match {
		if text, told := r.Fields[k.Field]; told && k.Want.holds(text) == no {
			return false
		}
	}
	return len(match) > 0
}

// wantedNames are the names of alerts that runbooks match literally.
func wantedNames(all []Checkup) (names []string) {
	for _, c := range all {
		for _, k := range c.Facts.Match {
			if k.Field == "name" && k.Want.Op == Equals {
				names = append(names, k.Want.Text)
			}
		}
	}
	return names
}

func problem(at Spot, path, text, hint string) Problem {
	return Problem{File: at.File, Line: at.Line, Column: at.Column, Path: path, Text: text, Hint: hint}
}
