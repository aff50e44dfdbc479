package approval

import "strings"

// The questions about a gated step that reviews answer, other than whether it may run.
const (
	VerbSkip   = "/skip"           // the plan goes on without it
	VerbByHand = "/did-it-by-hand" // a person did it
)

// VerbThaw gives a branch back to the engine. It is no answer about a step.
const VerbThaw = "/thaw"

// verbs are those of reviews about gates.
func verbs() []string { return []string{"/approve", "/reject", VerbSkip, VerbByHand, "/break-glass"} }

// Said is one command about a gate in the body of a review.
type Said struct {
	Step   string
	Verb   string // VerbSkip or VerbByHand; empty for /approve and /reject
	Reject bool
	Why    string
}

// Commands reads `/approve <step>`, `/reject <step> <why>`, `/skip <step> <why>` and `/did-it-by-hand <step> <what>` from the
// body of a review. A command stands at the beginning of a line; lines that Lines leaves out are not read.
func Commands(body string) []Said { return commands(Lines(body)) }

func commands(lines []string) []Said {
	var out []Said
	for _, line := range lines {
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
