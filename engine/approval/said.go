package approval

import "strings"

// The questions about a gated step that reviews answer, other than whether it may run.
const (
	VerbSkip   = "/skip"           // the plan goes on without it
	VerbByHand = "/did-it-by-hand" // a person did it
)

// VerbThaw gives a branch back to the engine. It is no answer about a step.
const VerbThaw = "/thaw"

// Said is one command about a gate in the body of a review.
type Said struct {
	Step   string
	Verb   string // VerbSkip or VerbByHand; empty for /approve and /reject
	Reject bool
	Why    string
}

// Commands reads `/approve <step>`, `/reject <step> <why>`, `/skip <step> <why>` and `/did-it-by-hand <step> <what>` from the
// body of a review. A command stands at the beginning of a line; lines that Lines leaves out are not read.
func Commands(body string) []Said {
	var out []Said
	for _, line := range Lines(body) {
		verb, rest, _ := strings.Cut(line, " ")
		s := Said{Reject: verb == "/reject"}
		switch verb {
		case "/approve", "/reject":
		case VerbSkip, VerbByHand:
			s.Verb = verb
		default:
			continue
		}
		s.Step, s.Why, _ = strings.Cut(strings.TrimSpace(rest), " ")
		if s.Step == "" {
			continue
		}
		s.Why = strings.TrimSpace(s.Why)
		out = append(out, s)
	}
	return out
}

// Lines returns the lines of body that begin with a slash and are a person's own words: not quoted, not code, not
// indented, and not hidden in a comment of HTML. Spaces inside a line are folded to one. Code blocks inside lists and quotes
// end with the list or quote.
func Lines(body string) []string {
	if !strings.HasPrefix(body, "/") && !strings.Contains(body, "\n/") {
		return nil
	}
	var out []string
	var inside fence
	hidden := markup{closes: strings.LastIndex(body, "-->")}
	at := 0
	for line := range strings.Lines(body) {
		at += len(line)
		line = strings.TrimRight(line, "\r\n")
		if inside.mark == "" && hidden.holds(line, at) {
			continue
		}
		if inside.mark != "" && !inside.holds(line) {
			inside = fence{}
		}
		switch {
		case inside.mark != "":
			if inside.closedBy(line) {
				inside = fence{}
			}
		case strings.HasPrefix(line, "/"):
			out = append(out, strings.Join(strings.Fields(line), " "))
		default:
			inside = fenceIn(line)
		}
	}
	return out
}

// fence is an open code block.
type fence struct {
	mark string // the run of backticks or tildes that opened it
	in   string // what it stands in: nothing, ">" for a quote, "-" for a list
}

// fenceIn returns the code block that a line opens, if it does.
func fenceIn(line string) fence {
	rest, in := unwrap(line)
	mark, info := markOf(rest)
	if mark == "" || mark[0] == '`' && strings.Contains(info, "`") { // the latter is code inside a line
		return fence{}
	}
	return fence{mark, in}
}

// holds reports whether the line can still belong to what the code block stands in.
func (f fence) holds(line string) bool {
	switch f.in {
	case ">":
		return strings.HasPrefix(strings.TrimLeft(line, " "), ">")
	case "-":
		return strings.TrimSpace(line) == "" || line[0] == ' ' || line[0] == '\t'
	}
	return true
}

// closedBy reports whether the line is the end of the code block: the same mark, at least as long, and nothing else.
func (f fence) closedBy(line string) bool {
	rest := line
	if f.in != "" {
		rest, _ = unwrap(strings.TrimLeft(line, " "))
	}
	mark, info := markOf(rest)
	return mark != "" && mark[0] == f.mark[0] && len(mark) >= len(f.mark) && strings.TrimSpace(info) == ""
}

// markOf splits a line that begins with at least three backticks or tildes, indented by at most three spaces, into these
// and the rest.
func markOf(line string) (mark, info string) {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 {
		return "", ""
	}
	for _, c := range []string{"`", "~"} {
		rest := strings.TrimLeft(trimmed, c)
		if n := len(trimmed) - len(rest); n >= 3 {
			return trimmed[:n], rest
		}
	}
	return "", ""
}

// unwrap takes the marks of quotes and lists from the beginning of a line, and says what the outermost of them is.
func unwrap(line string) (rest, in string) {
	rest = line
	for {
		trimmed := strings.TrimLeft(rest, " ")
		kind, width := markerOf(trimmed)
		if kind == "" {
			return rest, in
		}
		if in == "" {
			in = kind
		}
		rest = strings.TrimPrefix(trimmed[width:], " ")
	}
}

// markerOf recognises ">", "- ", "* ", "+ ", "1. " and "1) " at the beginning of a line.
func markerOf(s string) (kind string, width int) {
	if strings.HasPrefix(s, ">") {
		return ">", 1
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	after := s[digits:]
	if len(after) < 2 || after[1] != ' ' {
		return "", 0
	}
	switch {
	case digits == 0 && strings.ContainsRune("-*+", rune(after[0])), digits > 0 && strings.ContainsRune(".)", rune(after[0])):
		return "-", digits + 1
	}
	return "", 0
}
