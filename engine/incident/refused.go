package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CommandRefused records that nothing of a comment with commands was done, so that it stays so: the answer on the pull request
// can be deleted, and what did not fit then might fit later. It is recorded of people who may write; what others say changes
// nothing, and costs the ledger nothing.
type CommandRefused struct {
	Why  string `json:"why"`  // one line
	Deed Deed   `json:"deed"` // the comment; its words may be cut
	// Before says that nothing is done either of what the same person had written before that comment: all of it was there when
	// they might not write yet.
	Before bool `json:"before,omitempty"`
}

// Kind implements Data.
func (CommandRefused) Kind() string { return "command-refused" }

// commandRefused applies the event. It moves nothing, and nobody has taken notice by it.
func (s *State) commandRefused(d CommandRefused) error {
	switch {
	case d.Deed.Via != ViaComment:
		return errors.New("what was refused is no comment")
	case s.Heard[d.Deed.ID] || s.RefusedTo(d.Deed.By.ID, d.Deed.ID):
		return fmt.Errorf("comment %d was heard or refused before", d.Deed.ID)
	}
	s.Refused[d.Deed.ID] = true
	if d.Before {
		s.Strange[d.Deed.By.ID] = d.Deed.ID
	}
	return nil
}

// RefusedTo reports whether nothing is done of a comment of somebody's, for good.
func (s State) RefusedTo(id, comment int64) bool {
	return s.Refused[comment] || comment <= s.Strange[id]
}

// done reports whether a comment has had its turn: what it said was obeyed, or refused.
func (s State) done(c Comment) bool { return s.Heard[c.ID] || s.RefusedTo(c.By.ID, c.ID) }

// refuse answers a comment of which nothing is done, and records it. before says that it is so with all that its author wrote
// before it.
func (d *decider) refuse(c Comment, problem string, before bool) {
	if d.mayAnswer(c) {
		d.reply(answerKey(c), nothingDone("comment", problem))
	}
	if !c.By.Write {
		return
	}
	first, _, _ := strings.Cut(problem, "\n")
	said := CommandRefused{Why: strings.TrimSuffix(first, ":"), Deed: d.deed(c), Before: before}
	if !d.record(said) {
		d.refused = append(d.refused, said) // after the end nothing is recorded, unless the incident is reopened
	}
}

// deed is a comment as the journal has it.
func (d *decider) deed(c Comment) Deed {
	words := c.Body
	if len(words) > mostCommandBytes {
		words = words[:mostCommandBytes]
		for len(words) > 0 && !utf8.ValidString(words[max(0, len(words)-utf8.UTFMax):]) {
			words = words[:len(words)-1]
		}
	}
	return Deed{By: c.By, Via: ViaComment, ID: c.ID, At: c.At, Commit: d.headSeen(), Words: words}
}

// recordRefused records what was refused while the incident was over, once it has been reopened.
func (d *decider) recordRefused() {
	if d.state.End == "" {
		for _, said := range d.refused {
			d.record(said)
		}
	}
	d.refused = nil
}

// asksHelp reports whether commands ask for nothing but their list, which is given however often.
func asksHelp(commands []Command) bool {
	return !slices.ContainsFunc(commands, func(c Command) bool { return c.Verb != "/help" })
}
