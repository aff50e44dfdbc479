package runbook

import (
	"fmt"
	"strings"
	"testing"
)

// book is a runbook with a match; each constraint is written as FIELD OP TEXT.
func book(name string, match ...string) Checkup {
	c := Checkup{Runbook: name, Facts: Facts{Matches: true, At: Spot{File: name, Line: 1, Column: 1}}}
	for _, m := range match {
		field, rest, _ := strings.Cut(m, " ")
		c.Facts.Match = append(c.Facts.Match, Constraint{Field: field, Want: wanted(rest), At: Spot{File: name, Line: 2, Column: 3}})
	}
	return c
}

func wanted(text string) Condition {
	for _, op := range []string{All, Any} {
		if parts := strings.Split(text, " "+op+" "); len(parts) > 1 {
			c := Condition{Op: op}
			for _, p := range parts {
				c.Parts = append(c.Parts, wanted(p))
			}
			return c
		}
	}
	op, rest, _ := strings.Cut(text, " ")
	return Condition{Op: op, Text: rest}
}

// TestRivals: which matches of two runbooks an alert can meet at once.
func TestRivals(t *testing.T) {
	for _, c := range []struct {
		a, b  []string
		alert string // empty: none was found, or one has more to say
	}{
		{[]string{"name == A"}, []string{"name == A"}, `name "A"`},
		{[]string{"name == A"}, []string{"name == B"}, ""},
		{[]string{"name == A"}, []string{"name =~ ^A$"}, `name "A"`},
		{[]string{"name =~ ^Disk"}, []string{"name =~ Full$"}, ""}, // no sample was found, although there is one
		{[]string{"name =~ ^Disk"}, []string{"name =~ ^Di(sk|ng)[a-c]{2,3}x?.+$"}, `name "Diskaax"`},
		{[]string{"name =~ ^a"}, []string{"name !~ ^a"}, ""},
		{[]string{"name != a"}, []string{"name != b"}, `name "ax"`},
		{[]string{"name == A", "labels.x == 1"}, []string{"labels.x == 1", "name == A | == B"}, `labels.x "1", name "A"`},
		{[]string{"name == A", "labels.x == 1"}, []string{"name == A"}, ""},
		{[]string{"name == A", "labels.x == 1"}, []string{"name == A", "labels.y == 1"}, ""},
		{[]string{"name =~ ^p & != pa"}, []string{"name =~ ^pa"}, `name "pax"`},
		{[]string{"name =~ ^p & != x"}, []string{"name =~ ^pa"}, `name "pa"`},
		{[]string{"name ? opaque"}, []string{"name == A"}, ""},
		{nil, nil, ""},
	} {
		all := []Checkup{book("runbooks/b.cue", c.b...), book("runbooks/a.cue", c.a...)}
		every := func(string) bool { return true }
		got := Rivals(all, every)
		if (len(got) == 1) != (c.alert != "") || c.alert != "" && !strings.Contains(got[0].Text, "such as "+c.alert+",") {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
		if c.alert == "" {
			continue
		}
		if got[0].File != "runbooks/b.cue" {
			t.Errorf("the problem stands at %s", got[0].File)
		}
		first := Rivals(all, func(name string) bool { return name == "runbooks/a.cue" })
		if len(first) != 1 || first[0].File != "runbooks/a.cue" || !strings.Contains(first[0].Text, "takes the alerts of runbooks/b.cue") {
			t.Errorf("of the first alone: %v", first)
		}
		if none := Rivals(all, func(string) bool { return false }); len(none) > 0 {
			t.Errorf("of neither: %v", none)
		}
	}
}

// TestIdle: matches that no alert can meet.
func TestIdle(t *testing.T) {
	for match, want := range map[string]string{
		"":                                   "constrains nothing",
		"status == resolved":                 "opens no incident",
		"status == fired":                    "firing or resolved",
		"status == firing":                   "",
		"status =~ .":                        "",
		"name ==":                            "no alert is without a name",
		"labels.x ==":                        "",
		`name =~ [^\x00-\x{10FFFF}]`:         "no text fits",
		`name != a & =~ [^\x00-\x{10FFFF}]b`: "no text fits",
		`name =~ [Service`:                   `"[Service" is no regular expression: missing closing ]`,
		"name ? opaque":                      "",
	} {
		c := book("runbooks/a.cue", match)
		if match == "" {
			c = book("runbooks/a.cue")
		}
		got := fmt.Sprint(c.Idle())
		if (want == "") != (got == "[]") || !strings.Contains(got, want) {
			t.Errorf("%q: %s", match, got)
		}
	}
	if ps := (Checkup{Runbook: "runbooks/a.cue"}).Idle(); len(ps) > 0 {
		t.Errorf("a runbook without a match: %v", ps)
	}
}

// TestSampleIsBounded: a regular expression cannot make its sample long.
func TestSampleIsBounded(t *testing.T) {
	for _, c := range []string{`((a{100}){100}){100}`, `(((((((((a{10}){10}){10}){10}){10}){10}){10}){10}){10}`, strings.Repeat("a{1000}", 100)} {
		for _, s := range (Condition{Op: Fits, Text: c}).samples() {
			if len(s) > 1<<21 {
				t.Errorf("%d bytes of %.40s", len(s), c)
			}
		}
	}
}

// TestUnanswered: a rule has a runbook unless what it tells excludes each of them.
func TestUnanswered(t *testing.T) {
	all := []Checkup{book("runbooks/a.cue", "name == DiskFull", "labels.team == db"), book("runbooks/b.cue", "name =~ ^Web"), {Runbook: "runbooks/c.cue"}}
	for _, c := range []struct {
		fields map[string]string
		hint   string // "-": it is answered
	}{
		{map[string]string{"name": "DiskFull"}, "-"},
		{map[string]string{"name": "DiskFull", "labels.team": "db", "labels.x": "y"}, "-"},
		{map[string]string{"name": "WebDown"}, "-"},
		{map[string]string{"name": "DiskFull", "labels.team": "web"}, "a runbook matches the name DiskFull"},
		{map[string]string{"name": "DiskFul"}, "a runbook matches the name DiskFull"},
		{map[string]string{"name": "Other"}, "write one, or let one match it"},
	} {
		got := Unanswered([]AlertRule{{Fields: c.fields, At: Spot{File: "r.yml", Line: 3, Column: 4}}}, all)
		if (len(got) == 0) != (c.hint == "-") || len(got) == 1 && (got[0].Hint != c.hint || got[0].Line != 3) {
			t.Errorf("%v: %v", c.fields, got)
		}
	}
}
