package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
)

// Thawed records that a person gave the branch back to the engine, after somebody else had written to it, moved it back or
// deleted it. Its commit holds the files of the engine's last commit and this event, and nothing else.
type Thawed struct {
	Why string `json:"why"`
	// Disowned are the commits of others between the engine's last commit and this one, oldest first, hex. They stay in the
	// history of the branch, and nothing of what they wrote stays in its files.
	Disowned []string `json:"disowned,omitempty"`
	// Restored is the engine's last commit, hex, where the branch did not lead to it any more: this commit follows it.
	Restored string `json:"restored,omitempty"`
	Replaced string `json:"replaced,omitempty"` // where the branch was then; empty: it was not there
	On       string `json:"on"`                 // what the review was given on, hex
	Deed     Deed   `json:"deed"`               // the review
}

// GivenBack reports whether a person has given the branch back at some time.
func (s State) GivenBack() bool { return s.thawedAt > 0 }

// ThawedAt is the event by which it was given back the last time, 0 if it never was.
func (s State) ThawedAt() int { return s.thawedAt }

// Kind implements Data.
func (Thawed) Kind() string { return "thawed" }

// thawed applies the event. It may follow the end: the branch has still to be merged.
func (s *State) thawed(e Event, d Thawed) error {
	switch {
	case d.Deed.Via != "review" || s.thaws[d.Deed.ID]:
		return fmt.Errorf("review %d does not thaw, or has thawed already", d.Deed.ID)
	case (len(d.Disowned) > 0) == (d.Restored != ""):
		return errors.New("it neither disowns commits nor restores the branch, or both")
	case d.Replaced != "" && d.Restored == "":
		return errors.New("it replaces what it does not restore")
	}
	s.thaws[d.Deed.ID], s.thawedAt = true, e.Seq
	s.hear(e, d.Deed)
	return nil
}

// MayThaw lists the users and teams whose /thaw counts: those whom the plan names for it, else those who may command. None
// means everybody with write permission, as for commands: what a thaw does is to forget what no gate has approved.
func MayThaw(thaw, command []string) []string {
	if len(thaw) > 0 {
		return thaw
	}
	return command
}

// thaw looks for a review that gives the branch back. Every other one that says /thaw is answered once.
func (d *decider) thaw() {
	b, pull := d.view.Branch, d.view.Pull
	if b.Foreign == nil && !b.Gone {
		return // it is frozen for another reason
	}
	if b.Tip != "" && pull.Head != b.Tip && pull.Open {
		return // the hub lags behind: what a review was given on cannot be told yet
	}
	for _, r := range d.view.Reviews {
		why, said := thawWords(r.Body)
		if !said || r.State == approval.Dismissed || d.state.thaws[r.ID] || r.By.Bot {
			continue
		}
		if problem := d.thawProblem(r, why); problem != "" {
			if !r.By.Write {
				continue // as strayWords
			}
			d.reply(fmt.Sprintf("thaw-%d", r.ID), "Not thawed: "+problem+".")
			continue
		}
		event := Thawed{Why: why, On: r.Commit, Deed: Deed{By: r.By, Via: "review", ID: r.ID, At: r.At, Words: r.Body}}
		if b.Gone {
			event.Restored, event.Replaced = b.Head, b.Tip
		} else {
			event.Disowned = b.Foreign.All
		}
		if d.record(event) {
			d.actions = append(d.actions, d.commit, Flush{Why: "the branch is the engine's again"})
			return
		}
	}
}

// thawProblem says why a review does not give the branch back.
func (d *decider) thawProblem(r approval.Review, why string) string {
	b, who := d.view.Branch, MayThaw(d.plan.Thaw, d.plan.Command)
	switch {
	case r.Edited:
		return "the words of the review were edited; write a new one"
	case !r.By.Write || len(who) > 0 && !approval.Named(r.By, who):
		return "only people with write permission who are named in `thaw`, or else in `command`, of pullbook.cue may do that"
	case swallowedThaw(r.Body):
		return swallowedProblem(r.Body, approval.VerbThaw)
	case why == "":
		return "say why: `/thaw <reason>`"
	case r.Commit != d.view.Pull.Head:
		return "the review was given on another commit than the pull request shows now; look again, and write a new one"
	case b.Lost != "":
		return b.Lost
	case b.Foreign != nil && !d.view.Pull.Open && d.view.Pull.Head != b.Tip:
		return "a closed pull request does not show what its branch has got since; reopen it, look again, and write a new one"
	}
	return ""
}

// thawWords reads `/thaw <reason>` from the body of a review.
func thawWords(body string) (why string, said bool) {
	if swallowedThaw(body) {
		return "", true
	}
	for _, line := range approval.Lines(body) {
		if verb, rest, _ := strings.Cut(line, " "); verb == approval.VerbThaw {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

func swallowedThaw(body string) bool {
	return approval.SwallowedVerb(body, []string{approval.VerbThaw}) != ""
}

// SaysThaw reports whether the body of a review says /thaw, for the given reason.
func SaysThaw(body, why string) bool {
	words, said := thawWords(body)
	return said && words == why && why != ""
}

// thawComments answers comments that say /thaw: only a review names the commit that its author looked at.
func (d *decider) thawComments() {
	for _, c := range d.view.Comments {
		if _, said := thawWords(c.Body); said && !c.Own && !c.By.Bot && d.mayAnswer(c) {
			d.reply(answerKey(c), "Nothing of this comment was done: `/thaw <reason>` is said in a review (Files changed, Review changes).")
		}
	}
}

// thawHelp says how the incident goes on.
func (d *decider) thawHelp() string {
	b := d.view.Branch
	if b.Foreign == nil && !b.Gone {
		return ""
	}
	if b.Lost != "" {
		return " " + strings.ToUpper(b.Lost[:1]) + b.Lost[1:] + "."
	}
	what := "nothing of the foreign commits stays in its files, and the journal names them"
	if b.Gone {
		what = "the branch leads to the engine's last commit " + b.Head + " again"
	}
	return "\n\nA review (not a comment) with the line `/thaw <reason>` gives the branch back to the engine: " + what + ". May do that: " + mayThawWords(MayThaw(d.plan.Thaw, d.plan.Command)) + "."
}

func mayThawWords(who []string) string {
	if len(who) == 0 {
		return "everybody with write permission"
	}
	shown := slices.Clone(who)
	for i, w := range shown {
		shown[i] = "`" + strings.ReplaceAll(w, "`", "'") + "`"
	}
	return strings.Join(shown, ", ")
}
