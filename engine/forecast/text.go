package forecast

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/pullbook/pullbook/engine/drawing"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Text is the forecast for a terminal. Foreign text in it is one line without control characters.
func (f Forecast) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", f.Runbook, line(f.Title))
	var about []string
	for _, one := range []struct{ name, value string }{{"severity", f.Severity}, {"service", f.Service},
		{"owners", strings.Join(f.Owners, ", ")}, {"also affected", strings.Join(f.Affected, ", ")}} {
		if one.value != "" {
			about = append(about, one.name+" "+line(one.value))
		}
	}
	if len(about) > 0 {
		fmt.Fprintf(&b, "  %s\n", strings.Join(about, "; "))
	}
	fmt.Fprintf(&b, "  opened at %s\n", stamp(f.At))
	stage := runbook.Stage("main")
	for _, s := range f.Steps {
		if s.Stage == runbook.StageUndo {
			continue // said with the step that it takes back
		}
		if s.Stage != stage {
			stage = s.Stage
			fmt.Fprintf(&b, "\n%s, however it ends:\n", stage)
		}
		b.WriteString("\n")
		f.step(&b, s)
	}
	return b.String()
}

func (f Forecast) step(b *strings.Builder, s Step) {
	fmt.Fprintf(b, "%2d. %s  %s\n", s.Wave+1, s.Name, line(s.Title))
	say := func(format string, args ...any) { fmt.Fprintf(b, "    "+format+"\n", args...) }
	when := "at once"
	if len(s.After) > 0 {
		when = "after " + strings.Join(s.After, ", ")
	}
	if s.NotBefore.After(f.At) {
		when += ", not before " + stamp(s.NotBefore)
	}
	say("%s", when)
	if g := s.Gate; g != nil {
		say("asks for the approval of %s", g.Rule)
		for _, why := range g.Because {
			say("  %s", line(why))
		}
	}
	say("%s", s.does())
	for _, e := range s.Elements {
		say("  %s: %s", e.Key, e.does())
	}
	if len(s.Locks) > 0 {
		say("holds the locks %s", strings.Join(s.Locks, ", "))
	}
	if s.Verdict == Skips || s.Verdict == Broken {
		return
	}
	if s.Attempts > 1 {
		say("is tried up to %d times", s.Attempts)
	}
	switch undo, has := f.undoOf(s); {
	case has && undo.Verdict == Skips:
		say("is taken back by %s", undo.Name)
	case has:
		say("is taken back by %s: %s", undo.Name, undo.does())
		for _, e := range undo.Elements {
			say("  %s: %s", e.Key, e.does())
		}
	case s.Risk != runbook.RiskRead && !s.Reversible:
		say("cannot be taken back by the runbook")
	}
	if s.OnFailure != string(runbook.FailureHalts) {
		say("if it fails: %s", s.OnFailure)
	}
}

func (f Forecast) undoOf(s Step) (Step, bool) {
	for _, u := range f.Steps {
		if u.Name == s.Undo && s.Undo != "" {
			return u, true
		}
	}
	return Step{}, false
}

// does is what becomes of a step, in one line.
func (s Step) does() string {
	switch {
	case s.Verdict == Later:
		return fmt.Sprintf("%s (%s): known when %s has ended", s.Kind, s.Risk, s.Rests)
	case s.Verdict == Waits && !s.Until.IsZero() && len(s.Elements) > 0:
		return fmt.Sprintf("waits until %s, for each of %d:", stamp(s.Until), len(s.Elements))
	case s.Verdict == Waits && !s.Until.IsZero():
		return "waits until " + stamp(s.Until)
	case len(s.Elements) > 0:
		return fmt.Sprintf("%s (%s) for each of %d:", s.Verdict, s.Risk, len(s.Elements))
	case s.Work == nil && s.Verdict != Skips && s.Verdict != Broken:
		return "is done for no element"
	}
	text := does(s.Verdict, s.Why, s.Work)
	if s.Verdict == Runs {
		text = strings.Replace(text, "runs", fmt.Sprintf("runs (%s)", s.Risk), 1)
	}
	if s.From != "" {
		text = strings.Replace(text, "asks", "asks "+s.From, 1)
	}
	return text
}

// does is what becomes of one element, in one line.
func (e Element) does() string {
	if e.Verdict == Waits {
		return "waits until " + stamp(e.Until)
	}
	return does(e.Verdict, e.Why, e.Work)
}

func does(v Verdict, why string, work map[string]any) string {
	switch v {
	case Skips:
		return "is skipped: " + line(why)
	case Broken:
		return "cannot be worked out: " + line(why)
	case Later:
		return "is not known yet"
	}
	text := string(v)
	for kind, what := range work { // one
		text += " " + kind + " " + compact(what)
	}
	return text
}

// JSON is the forecast for programs, indented.
func (f Forecast) JSON() ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("write the forecast: %w", err)
	}
	return []byte(b.String()), nil
}

// Graph is the forecast as a drawing: of each step what becomes of it and who is asked.
func (f Forecast) Graph() drawing.Graph {
	g := drawing.Graph{Title: f.Title}
	for _, s := range f.Steps {
		n := drawing.Node{ID: "s_" + s.Name, Lines: []string{s.Name}, Aside: s.Stage != "main", Look: drawing.Plain}
		if s.Title != s.Name {
			n.Lines = append(n.Lines, s.Title)
		}
		switch {
		case s.Verdict == Skips || s.Verdict == Broken || s.Verdict == Later:
			n.Look = drawing.Faint
		case s.Gate != nil || s.Verdict == Asks:
			n.Look = drawing.Asks
		case s.Risk != runbook.RiskRead:
			n.Look = drawing.Bold
		}
		n.Lines = append(n.Lines, strings.TrimSuffix(s.does(), ":")) // the elements have no boxes
		if s.Gate != nil {
			n.Lines = append(n.Lines, "approval: "+s.Gate.Rule)
		}
		if s.NotBefore.After(f.At) {
			n.Lines = append(n.Lines, "not before "+stamp(s.NotBefore))
		}
		g.Nodes = append(g.Nodes, n)
		g.Edges = append(g.Edges, edges(s)...)
	}
	return g
}

// Graph is a plan as a drawing, whatever becomes of it.
func Graph(p runbook.Plan) drawing.Graph {
	g := drawing.Graph{Title: p.Title}
	for _, step := range p.Steps {
		n := drawing.Node{ID: "s_" + step.Name, Lines: []string{step.Name}, Aside: step.Stage != runbook.StageMain, Look: drawing.Plain}
		if step.Title != step.Name {
			n.Lines = append(n.Lines, step.Title)
		}
		kind := string(step.Kind) + ", " + string(step.Risk)
		if step.Each {
			kind += ", for each element"
		}
		n.Lines = append(n.Lines, kind)
		switch {
		case step.Approval != nil:
			n.Look = drawing.Asks
			n.Lines = append(n.Lines, "approval: "+step.Approval.String())
		case step.Kind.AsksPeople():
			n.Look = drawing.Asks
		case step.Risk != runbook.RiskRead:
			n.Look = drawing.Bold
		}
		g.Nodes = append(g.Nodes, n)
		g.Edges = append(g.Edges, edges(Step{Name: step.Name, Stage: step.Stage, After: step.Needs})...)
	}
	return g
}

func edges(s Step) (out []drawing.Edge) {
	if undone, is := strings.CutSuffix(s.Name, "_undo"); is && s.Stage == runbook.StageUndo {
		return []drawing.Edge{{From: "s_" + undone, To: "s_" + s.Name, Label: "undo", Dashed: true}}
	}
	for _, need := range s.After {
		out = append(out, drawing.Edge{From: "s_" + need, To: "s_" + s.Name, Dashed: s.Stage == runbook.StageFinally})
	}
	return out
}

func compact(what any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(what); err != nil {
		return "" // unreachable: it came from JSON
	}
	return line(b.String())
}

// line is foreign text as one line that cannot steer a terminal.
func line(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, strings.Join(strings.Fields(text), " "))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
