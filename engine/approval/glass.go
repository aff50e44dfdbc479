package approval

import (
	"slices"
	"strings"
)

// BreakGlass reads `/break-glass <step> <reason>` about one step from the body of a review. The reason is the rest of the
// line; ok is false where there is none.
func BreakGlass(body, step string) (reason string, ok bool) {
	return breakGlass(Lines(body), step)
}

func breakGlass(lines []string, step string) (reason string, ok bool) {
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		name, why, _ := strings.Cut(rest, " ")
		if verb == "/break-glass" && name == step && why != "" {
			return why, true
		}
	}
	return "", false
}

// breaks looks whether a review breaks the glass of this gate, and notes why it does not.
func (t *tally) breaks(r spoken) {
	if _, said := breakGlass(r.words.Lines, t.gate.Step); !said || r.State == Dismissed {
		return
	}
	shown, ours := t.shown[r.Commit]
	page, open := pageOf(shown, t.gate.Step)
	const not = "does not break the glass: "
	switch {
	case r.By.Bot:
		t.note(r, not+"only people do")
	case len(t.gate.Glass) == 0:
		t.note(r, not+"this gate allows nobody to")
	case !r.By.Write || !Named(r.By, t.gate.Glass):
		t.note(r, not+"not among "+strings.Join(t.gate.Glass, ", ")+", or no write permission")
	case r.Edited:
		t.note(r, not+"its words were edited; write a new review")
	case r.State == ChangesRequested:
		t.note(r, not+"it requests changes")
	case !ours || !open:
		t.note(r, not+"the gate was not open at its commit")
	case page != t.gate.Page:
		t.note(r, not+"what will run has changed since")
	case t.glass == nil:
		t.glass = &Vote{Review: r.ID, By: r.By, Commit: r.Commit, At: r.At, Words: r.Body}
	}
}

// mend takes back that a person broke the glass: it was dismissed, or they have said something else of the step since.
func (t *tally) mend(by Person) {
	if t.glass != nil && t.glass.By.ID == by.ID {
		t.glass = nil
	}
}

// broken is who broke the glass, if that is what opens the gate.
func (t *tally) broken(d Decision, held bool) *Vote {
	if t.glass == nil || d.Rejected != nil || !held && Met(t.gate.Rule, Voters(d.Votes)) {
		return nil
	}
	return t.glass
}

// Voted reports whether a person is among those of some votes.
func Voted(votes []Vote, id int64) bool {
	return slices.ContainsFunc(votes, func(v Vote) bool { return v.By.ID == id })
}
