// Package approval decides whether a gate may open: people, reviews and a rule go in, a verdict that explains itself
// comes out.
//
// Words:
//
//   - A Gate is the question: which step, the digest of the page that holds what will run, who must agree.
//   - A Review is what a person did on the pull request, with the commit that was in front of them.
//   - Shown says which gates were open at a commit of the engine, and with which page.
//   - A Vote is what one review means for one gate. The latest vote of a person on a gate is the one that counts.
//   - A Verdict is a status and a sentence, with one child for each review or person that matters.
//
// Rules, in the order in which they are asked of each review:
//
//  1. The reviewer is a person, not the engine, an App or an agent, has write permission now, and is named by the rule
//     itself or by membership of a named team now. They did not write the step, unless the organisation allows that.
//  2. The review was given on a commit of the engine's own, and the page of this gate in that commit has the same digest
//     as the page now. Other steps may move the head without voiding anything.
//  3. The review means this gate: its body says `/approve <step>` or `/reject <step> <why>`, or it says nothing of a step and
//     exactly one gate was open at its commit. One that says /thaw speaks of the branch, and of a step only by its name.
//  4. A dismissal takes back all earlier votes of that person; an older approval never comes back to life.
//  5. "Request changes" holds the gate until that person votes again; `/reject` ends it. Neither needs the page: said of
//     an earlier page or of a commit that is not the engine's, both hold; said before the gate opened, they take back
//     what that person had said of it.
//  6. `/break-glass <step> <reason>` in the body of a review, by a person whom the gate names for it, stands for the whole
//     rule, for the page in front of them. It does not bring back what was rejected, and ends with what that person says
//     against the step afterwards.
//  7. `/skip` and `/did-it-by-hand` in a review are answers to another question about the step, with the same rule and the
//     same people, bound to the same commit. Whoever gives one takes back their approval, and the other way round.
//  8. A review whose body was edited approves nothing and commands nothing, whatever is left of its words: they may have
//     singled out another gate. That it requests changes is not in its words, and counts.
//  9. A word that Markdown makes a part of a quote, a list, a table or an element of HTML is not read, and a review that has one
//     approves nothing: it may have meant anything. It takes back what its author had said before.
//
// A rule is a tree: so many people of a list, all of several rules, any of several rules. The votes meet it if each voter
// can stand for one list only and every list of one way to meet it is filled: whoever belongs to two lists counts in one
// of them. So "one of acme/sre and one of acme/dba" is always two people.
//
// Order is the order of review ids, never a date. The package fetches nothing, has no clock and returns no errors:
// membership and permission are looked up by the caller and are part of the input.
package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Person is who acts on the hub, with what the hub says of them at the moment of the look.
type Person struct {
	ID    int64    `json:"id"` // the hub's numeric user id; logins change hands, ids do not
	Login string   `json:"login"`
	Bot   bool     `json:"bot,omitempty"`   // an App, an agent or the engine
	Write bool     `json:"write,omitempty"` // may write to the ledger now
	Teams []string `json:"teams,omitempty"` // those of the asked-for teams (org/slug) they belong to now
}

// ReviewState is what GitHub calls the state of a review.
type ReviewState string

// The states of a review.
const (
	Approved         ReviewState = "approved"
	ChangesRequested ReviewState = "changes_requested"
	Commented        ReviewState = "commented"
	Dismissed        ReviewState = "dismissed"
)

// Review is one review of the pull request.
type Review struct {
	ID     int64
	By     Person
	State  ReviewState
	Commit string // the commit that the reviewer had in front of them; empty when the hub has lost it
	Body   string
	Edited bool // the body is not what was submitted
	At     time.Time
}

// Shown is a gate as it was open at some commit.
type Shown struct {
	Step string
	Page string // SHA-256 of the page's bytes, hex
}

// Gate is the question that the reviews answer.
type Gate struct {
	Step     string
	Page     string // SHA-256 of the page's bytes now, hex
	Verb     string // what is asked: VerbSkip, VerbByHand, or nothing, and then whether it may run
	Rule     runbook.Approval
	Excluded map[int64]string   // people who may not vote on this gate, with the reason
	Wrote    map[int64]bool     // people who wrote the step: they may not vote on it either,
	May      []string           // unless they are among these users (login) and teams (org/slug)
	Glass    []string           // users and teams who may break the glass: open it by their word alone
	Teams    map[string][]int64 // numeric ids of the members of teams; of one that is absent nobody knows
	Logins   map[string]int64   // of these members, and of people who may not vote, by login in lower case: who is named and in a team is one person
}

// Status is the answer.
type Status string

// The answers. A rejected gate does not open again by itself.
const (
	StatusPending  Status = "pending"
	StatusApproved Status = "approved"
	StatusRejected Status = "rejected"
)

// Verdict explains itself: a status, a sentence, and what it rests on.
type Verdict struct {
	Status   Status
	Sentence string
	Children []Verdict
}

// Vote is the meaning of one review for one gate, with the facts that the journal keeps.
type Vote struct {
	Review int64     `json:"review"` // the hub's review id
	By     Person    `json:"by"`
	Commit string    `json:"commit"`
	At     time.Time `json:"at"`
	Words  string    `json:"words,omitempty"`
}

// Decision is the verdict on one gate and what follows from it.
type Decision struct {
	Verdict  Verdict
	Votes    []Vote   // those that count in favour, one a person, in the order of review ids
	Rejected *Vote    // the vote that ended the gate
	Broken   *Vote    // the review that broke the glass, where that and not the votes opens the gate
	Unclear  []int64  // reviews that approved while several gates were open and did not say which
	Helpers  []string // users and teams of a pending gate whose approval would bring it nearer
	Stranded string   // why a pending gate cannot be approved by anybody who is left: a part of a sentence; empty if it can
}

// Evaluate decides one gate. shown gives, for each commit of the engine on the incident's branch, the gates that were
// open at it; a commit that is not in shown is not the engine's.
func Evaluate(g Gate, reviews []Review, shown map[string][]Shown) Decision {
	ordered := slices.Clone(reviews)
	slices.SortFunc(ordered, func(a, b Review) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	t := tally{gate: g, shown: shown, last: map[int64]ballot{}}
	for _, r := range ordered {
		t.count(r)
	}
	return t.decide()
}

type choice int

const (
	abstains choice = iota
	approves
	objects
	rejects
	retracts
)

// ballot is the latest vote of one person.
type ballot struct {
	choice choice
	vote   Vote
}

type tally struct {
	gate    Gate
	shown   map[string][]Shown
	last    map[int64]ballot
	order   []int64   // people in the order of their first valid vote
	notes   []Verdict // reviews that do not count, and why
	unclear []int64
	glass   *Vote // the review that breaks the glass
}

// spoken is a review with its words, which are read once: every look reads those of every review for every gate.
type spoken struct {
	Review
	words Words
	says  []Said
}

func listen(r Review) spoken {
	words := Read(r.Body)
	return spoken{r, words, commands(words.Lines)}
}

func (t *tally) count(review Review) {
	r := listen(review)
	t.breaks(r)
	if r.State == Dismissed {
		t.mend(r.By)
		if _, voted := t.last[r.By.ID]; voted {
			delete(t.last, r.By.ID)
			t.note(r, "was dismissed, and with it the earlier votes")
		}
		return
	}
	c, why := t.meaning(r)
	if c == abstains {
		t.note(r, why)
		return
	}
	if c != approves {
		t.mend(r.By) // who breaks the glass needs no vote on the gate, and neither does taking that back
	}
	if why := t.barred(r.By); why != "" {
		t.note(r, why)
		return
	}
	if c == retracts {
		if _, voted := t.last[r.By.ID]; voted {
			delete(t.last, r.By.ID)
			t.note(r, why)
		}
		return
	}
	if !slices.Contains(t.order, r.By.ID) {
		t.order = append(t.order, r.By.ID)
	}
	if c == approves && t.gate.Wrote[r.By.ID] {
		t.notes = append(t.notes, Verdict{StatusApproved, fmt.Sprintf("%s wrote this step, and counts: selfApproval of pullbook.cue allows it", r.By.Login), nil})
	}
	t.last[r.By.ID] = ballot{c, Vote{Review: r.ID, By: r.By, Commit: r.Commit, At: r.At, Words: r.Body}}
}

func (t *tally) note(r spoken, why string) {
	if why != "" {
		t.notes = append(t.notes, Verdict{StatusPending, fmt.Sprintf("review %d by %s %s", r.ID, r.By.Login, why), nil})
	}
}

// barred says why a person has no vote on this gate, or nothing.
func (t *tally) barred(p Person) string {
	switch {
	case p.Bot:
		return "does not count: only people approve"
	case t.gate.Excluded[p.ID] != "":
		return "does not count: " + t.gate.Excluded[p.ID]
	case t.gate.Wrote[p.ID] && !Named(p, t.gate.May):
		return "does not count: wrote this step"
	case !p.Write:
		return "does not count: no write permission on the ledger"
	case !Named(p, t.gate.Rule.People()):
		return "does not count: not among " + strings.Join(t.gate.Rule.People(), ", ")
	}
	return ""
}

// Named reports whether p is one of the named users (login) or belongs to one of the named teams (org/slug).
func Named(p Person, from []string) bool {
	return slices.ContainsFunc(from, func(who string) bool {
		if strings.Contains(who, "/") {
			return slices.ContainsFunc(p.Teams, func(team string) bool { return SameName(team, who) })
		}
		return SameName(p.Login, who)
	})
}

// SameName reports whether two names of users or teams are the same, in any case of letters. Letters of other alphabets that fold to
// ours, such as the sign of kelvin to k, are longer.
func SameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// meaning reads a review as a vote on this gate. Why is empty where the review has nothing to do with the gate.
func (t *tally) meaning(r spoken) (c choice, why string) {
	says := r.says
	if r.Edited && r.State != ChangesRequested && (len(says) > 0 || r.State == Approved) { // what is left of it may have said something else
		return abstains, "does not count: its words were edited; write a new review"
	}
	if verb := swallowedVerb(r.words, verbs()); verb != "" && r.State != ChangesRequested {
		why = "does not count: its " + verb + " " + WhySwallowed(r.Body)
		if _, voted := t.last[r.By.ID]; voted {
			return retracts, why + ". What they had said before is taken back"
		}
		return abstains, why
	}
	if r.Edited {
		says = nil
	}
	named := slices.ContainsFunc(says, func(s Said) bool { return s.Step == t.gate.Step })
	switch c = t.stance(r, says); c {
	case approves:
		return t.approval(r, named)
	case objects, rejects:
		return t.objection(r, c)
	case retracts:
		return retracts, "says something else of the step, and takes back what was said before"
	}
	if named {
		return abstains, "names the step, but only an approving review approves"
	}
	return abstains, ""
}

// approval says whether a review that approves is about the page as it is now.
func (t *tally) approval(r spoken, named bool) (c choice, why string) {
	shown, ours := t.shown[r.Commit]
	page, open := pageOf(shown, t.gate.Step)
	switch {
	case !ours:
		return abstains, "does not count: it was given on a commit that is not the engine's"
	case !open:
		return abstains, t.silent(named, "does not count: the gate was not open at its commit")
	case page != t.gate.Page:
		return abstains, "does not count: what will run has changed since"
	case !named && len(shown) > 1:
		if t.barred(r.By) == "" {
			t.unclear = append(t.unclear, r.ID)
		}
		return abstains, fmt.Sprintf("does not count: %d gates were open; say /approve %s", len(shown), t.gate.Step)
	}
	return approves, ""
}

// objection says what a review against the step does. It stops rather than starts, so in doubt it counts.
func (t *tally) objection(r spoken, c choice) (choice, string) {
	shown, ours := t.shown[r.Commit]
	page, open := pageOf(shown, t.gate.Step)
	switch {
	case ours && !open:
		return retracts, "takes back what was said of the gate before"
	case page != t.gate.Page:
		return objects, "" // of another page, another round perhaps: it does not end this one
	}
	return c, ""
}

func pageOf(shown []Shown, step string) (page string, open bool) {
	at := slices.IndexFunc(shown, func(s Shown) bool { return s.Step == step })
	if at < 0 {
		return "", false
	}
	return shown[at].Page, true
}

// silent keeps quiet about reviews that were plainly meant for something else.
func (t *tally) silent(named bool, why string) string {
	if named {
		return why
	}
	return ""
}

// stance is what the review says about the step, whatever its commit. A review that names other steps says nothing here.
func (t *tally) stance(r spoken, says []Said) choice {
	about := slices.DeleteFunc(slices.Clone(says), func(s Said) bool { return s.Step != t.gate.Step })
	named := func(verb string) bool {
		return slices.ContainsFunc(about, func(s Said) bool { return s.Verb == verb && !s.Reject })
	}
	switch {
	case len(says) > 0 && len(about) == 0:
		return abstains
	case t.gate.Verb == "" && slices.ContainsFunc(about, func(s Said) bool { return s.Reject }):
		return rejects
	case r.State == ChangesRequested:
		return objects
	case t.gate.Verb != "":
		return t.overrides(r, named(t.gate.Verb), len(about) > 0)
	case named(VerbSkip) || named(VerbByHand):
		return retracts
	case r.State == Approved && len(about) == 0 && saysThaw(r.words):
		return abstains
	case r.State == Approved:
		return approves
	}
	return abstains
}

// saysThaw reports whether a review speaks of the branch, and not of what a step would do.
func saysThaw(words Words) bool {
	return slices.ContainsFunc(words.Lines, func(line string) bool { return line == VerbThaw || strings.HasPrefix(line, VerbThaw+" ") })
}

// overrides is what a review says to a question other than whether the step may run. It need not approve: its words say what
// it wants. Whoever says anything else of the step afterwards does not want it any more.
func (t *tally) overrides(r spoken, named, about bool) choice {
	switch {
	case named:
		return approves
	case about || r.State == Approved:
		return retracts
	}
	return abstains
}

// Judge reports whether a review counts in favour of what a gate asks, taken by itself, and why it does not.
func Judge(g Gate, r Review, shown map[string][]Shown) (counts bool, why string) {
	t := tally{gate: g, shown: shown}
	c, why := t.meaning(listen(r))
	if c != approves {
		return false, why
	}
	why = t.barred(r.By)
	return why == "", why
}

func (t *tally) decide() Decision {
	d := Decision{Unclear: t.unclear}
	var against []Verdict
	for _, id := range t.order {
		b, ok := t.last[id]
		if !ok {
			continue
		}
		switch b.choice {
		case approves:
			d.Votes = append(d.Votes, b.vote)
		case objects:
			against = append(against, Verdict{StatusPending, b.vote.By.Login + " requests changes", nil})
		case rejects:
			d.Rejected = &b.vote
		}
	}
	d.Broken = t.broken(d, len(against) > 0)
	d.Stranded = t.stranded(d)
	d.Verdict = t.verdict(d, against)
	if d.Verdict.Status == StatusPending {
		d.Helpers = t.useful(Helpers(t.gate.Rule, Voters(d.Votes)), d.Votes)
	}
	return d
}
