package incident

import (
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
)

// reviewVerbs are the commands that only reviews give, or that reviews give as well.
func reviewVerbs() []string {
	return []string{"/approve", "/reject", approval.VerbSkip, approval.VerbByHand, "/break-glass", approval.VerbThaw}
}

// strayWords answers a review with words that are said elsewhere, that are no command, or that name a step which the plan
// does not have. What the review says besides is heard all the same. People who may not write are not answered: nothing that
// they say in a review counts, and each answer is one write of the hub's hour.
func (d *decider) strayWords(r approval.Review) {
	if !r.By.Write {
		return
	}
	const notHeard = "A line of this review was not heard: "
	if !approval.Speaks(r.Body) {
		return
	}
	known := slices.Concat(reviewVerbs(), verbNames())
	if verb := approval.SwallowedVerb(r.Body, known); verb != "" {
		d.reply(strayKey(r), notHeard+ended(swallowedProblem(r.Body, verb)))
	}
	for _, line := range approval.Lines(r.Body) {
		words := strings.Fields(line)
		switch name := words[0]; {
		case !slices.Contains(known, name):
			d.reply(strayKey(r), notHeard+ended(noVerb(name, known)))
		case !slices.Contains(reviewVerbs(), name):
			d.reply(reviewKey(r.ID), "`"+name+"` is said in a comment of the pull request, not in a review, and was not heard.")
		case name != approval.VerbThaw && name != approval.VerbSkip && name != approval.VerbByHand && len(words) > 1: // those two have answers of their own
			if _, ok := d.plan.Step(words[1]); !ok {
				d.reply(strayKey(r), notHeard+ended(d.noStep(words[1])))
			}
		}
	}
}

// strayKey is the key of the answer to the lines of a review that nothing hears: it has another one for what it means to a gate.
func strayKey(r approval.Review) string { return reviewKey(r.ID) + "-words" }
