package approval

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// The engine's commits of these tests: at "none" no gate was open, at "one" the gate of a with the page as it is now, at
// "old" an earlier page of it, at "other" the gate of b alone, at "two" both.
func shownGates() map[string][]Shown {
	a, b := Shown{Step: "a", Page: "page"}, Shown{Step: "b", Page: "pageb"}
	return map[string][]Shown{"none": {}, "one": {a}, "old": {{Step: "a", Page: "earlier"}}, "other": {b}, "two": {a, b}}
}

func gateOf(count int) Gate {
	return Gate{Step: "a", Page: "page", Rule: runbook.Approval{From: []string{"acme/sre", "dave"}, Count: count},
		Excluded: map[int64]string{5: "asked for this attempt"}}
}

func who(name string) Person {
	sre := []string{"acme/sre"}
	return map[string]Person{
		"alice": {ID: 1, Login: "alice", Write: true, Teams: sre},
		"bob":   {ID: 2, Login: "bob", Write: true, Teams: []string{"ACME/SRE"}},
		"carol": {ID: 3, Login: "carol", Write: true, Teams: sre},
		"dave":  {ID: 4, Login: "Dave", Write: true},
		"erin":  {ID: 5, Login: "erin", Write: true, Teams: sre},
		"frank": {ID: 6, Login: "frank", Write: false, Teams: sre},
		"grace": {ID: 7, Login: "grace", Write: true, Teams: []string{"acme/dev"}},
		"robot": {ID: 8, Login: "robot[bot]", Write: true, Bot: true, Teams: sre},
		"alicе": {ID: 9, Login: "alicе", Write: true}, // the last letter is Cyrillic
	}[name]
}

// reviews reads one review a line: id who state commit [body]; "|" in a body is a new line, "edited" before the body marks it.
func reviews(t *testing.T, text string) []Review {
	t.Helper()
	states := map[string]ReviewState{"ok": Approved, "changes": ChangesRequested, "says": Commented, "dismissed": Dismissed}
	var out []Review
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r := Review{ID: int64(len(out) + 1), By: who(words[0]), State: states[words[1]], Commit: words[2]}
		if r.By.ID == 0 || r.State == "" {
			t.Fatalf("cannot read %q", line)
		}
		if r.Commit == "lost" {
			r.Commit = ""
		}
		rest := words[3:]
		if len(rest) > 0 && rest[0] == "edited" {
			r.Edited, rest = true, rest[1:]
		}
		r.Body = strings.ReplaceAll(strings.Join(rest, " "), "|", "\n")
		out = append(out, r)
	}
	return out
}

type verdictCase struct {
	name    string
	count   int
	reviews string
	status  Status
	votes   []int64 // review ids
	unclear []int64
	says    string // part of the explanation
}

func TestEvaluateCounts(t *testing.T) {
	run(t, []verdictCase{
		{"nobody yet", 1, ``, StatusPending, nil, nil, "waits for 1 of 1 from acme/sre, dave"},
		{"one of one", 1, `alice ok one`, StatusApproved, []int64{1}, nil, "approved by 1 of 1"},
		{"two of two", 2, "alice ok one\nbob ok one", StatusApproved, []int64{1, 2}, nil, "approved by 2 of 2"},
		{"one of two", 2, `alice ok one`, StatusPending, []int64{1}, nil, "waits for 1 of 2"},
		{"more than asked", 1, "alice ok one\nbob ok one", StatusApproved, []int64{1, 2}, nil, ""},
		{"the same person twice", 2, "alice ok one\nalice ok one", StatusPending, []int64{2}, nil, "waits for 1 of 2"},
		{"a user, in another case", 1, `dave ok one`, StatusApproved, []int64{1}, nil, ""},
		{"a look-alike login", 1, `alicе ok one`, StatusPending, nil, nil, "not among"},
		{"not in the team", 1, `grace ok one`, StatusPending, nil, nil, "not among acme/sre, dave"},
		{"no write permission", 1, `frank ok one`, StatusPending, nil, nil, "no write permission"},
		{"a bot", 1, `robot ok one`, StatusPending, nil, nil, "only people approve"},
		{"who is excluded", 1, `erin ok one`, StatusPending, nil, nil, "asked for this attempt"},
		{"a rule of zero people", 0, `alice ok one`, StatusPending, []int64{1}, nil, "names nobody"},
		{"a comment", 1, `alice says one /approve a`, StatusPending, nil, nil, "only an approving review approves"},
		{"a comment about nothing", 1, `alice says one nice`, StatusPending, nil, nil, ""},
	})
}

func TestEvaluateBindsToThePage(t *testing.T) {
	run(t, []verdictCase{
		{"an earlier page", 1, `alice ok old`, StatusPending, nil, nil, "what will run has changed"},
		{"an earlier page, named", 1, `alice ok old /approve a`, StatusPending, nil, nil, "what will run has changed"},
		{"before the gate opened", 1, `alice ok none`, StatusPending, nil, nil, ""},
		{"before the gate opened, named", 1, `alice ok none /approve a`, StatusPending, nil, nil, "was not open"},
		{"a foreign commit", 1, `alice ok f00 /approve a`, StatusPending, nil, nil, "not the engine's"},
		{"a commit that the hub lost", 1, `alice ok lost`, StatusPending, nil, nil, ""},
		{"another gate's commit", 1, `alice ok other`, StatusPending, nil, nil, ""},
		{"two gates, bare", 1, `alice ok two`, StatusPending, nil, []int64{1}, "2 gates were open; say /approve a"},
		{"two gates, bare, by one who may not", 1, `grace ok two`, StatusPending, nil, nil, ""},
		{"two gates, this one named", 1, `alice ok two /approve a`, StatusApproved, []int64{1}, nil, ""},
		{"two gates, the other named", 1, `alice ok two /approve b`, StatusPending, nil, nil, ""},
		{"two gates, both named", 1, `alice ok two /approve a|/approve b`, StatusApproved, []int64{1}, nil, ""},
		{"approving the other takes nothing back", 1, "alice ok one\nalice ok two /approve b", StatusApproved, []int64{1}, nil, ""},
		{"an old page after a new one", 1, "alice ok one\nalice ok old", StatusApproved, []int64{1}, nil, ""},
		{"named in a quote", 1, `alice ok two > /approve a`, StatusPending, nil, []int64{1}, ""},
		{"to thaw is not to approve", 1, `alice ok one /thaw a slip`, StatusPending, nil, nil, ""},
		{"to thaw and to approve", 1, `alice ok one /thaw a slip|/approve a`, StatusApproved, []int64{1}, nil, ""},
		{"thaw in a quote", 1, `alice ok one > /thaw a slip`, StatusApproved, []int64{1}, nil, ""},
		{"edited words", 1, `alice ok one edited /approve a`, StatusPending, nil, nil, "words were edited"},
		{"edited, no words of ours", 1, `alice ok one edited typo`, StatusPending, nil, nil, "words were edited"},
	})
}

// TestLookAlikeNames: letters of other alphabets that look alike, or that fold to those of a name, make another name.
func TestLookAlikeNames(t *testing.T) {
	for name, same := range map[string]bool{"kate": true, "KATE": true, "\u212Aate": false, "kat\u0435": false, "kate ": false, "": false} {
		if Named(Person{Login: name}, []string{"Kate"}) != same || Named(Person{Teams: []string{"acme/" + name}}, []string{"ACME/kate"}) != same {
			t.Errorf("%q is taken for kate: %t, want %t", name, !same, same)
		}
	}
}

func TestEvaluateObjections(t *testing.T) {
	run(t, []verdictCase{
		{"request changes", 1, "bob ok one\nalice changes one", StatusPending, []int64{1}, nil, "held: alice requests changes"},
		{"request changes, then approve", 1, "alice changes one\nalice ok one", StatusApproved, []int64{2}, nil, ""},
		{"approve, then request changes", 1, "alice ok one\nalice changes one", StatusPending, nil, nil, "held"},
		{"a comment lifts nothing", 1, "alice changes one\nalice says one fine\nbob ok one", StatusPending, []int64{3}, nil, "held"},
		{"an approval of an old page lifts nothing", 1, "alice changes one\nalice ok old\nbob ok one", StatusPending, []int64{3}, nil, "held"},
		{"on an earlier page", 1, "alice changes old\nbob ok one", StatusPending, []int64{2}, nil, "held"},
		{"on a foreign commit", 1, "bob ok one\nalice changes f00", StatusPending, []int64{1}, nil, "held"},
		{"before the gate, after one's own vote", 1, "alice ok one\nalice changes none", StatusPending, nil, nil, "takes back"},
		{"before the gate, by somebody else", 1, "bob ok one\nalice changes none", StatusApproved, []int64{1}, nil, ""},
		{"of the other gate", 1, "alice ok one\nalice changes two /reject b", StatusApproved, []int64{1}, nil, ""},
		{"edited words", 1, "bob ok one\nalice changes one edited /reject a", StatusPending, []int64{1}, nil, "held"},
		{"by one who may not", 1, "bob ok one\ngrace changes one", StatusApproved, []int64{1}, nil, "not among"},
		{"reject", 1, "bob ok one\nalice says one /reject a on a Friday?", StatusRejected, []int64{1}, nil, "alice rejected it"},
		{"reject and approve", 1, `alice ok one /approve a|/reject a`, StatusRejected, nil, nil, ""},
		{"reject of an earlier page", 1, "alice says old /reject a\nbob ok one", StatusPending, []int64{2}, nil, "held"},
		{"reject, then approve", 1, "alice says one /reject a\nalice ok one", StatusApproved, []int64{2}, nil, ""},
		{"reject by a bot", 1, "bob ok one\nrobot says one /reject a", StatusApproved, []int64{1}, nil, ""},
		{"reject in a list", 1, "bob ok one\nalice says one - look|/reject a", StatusApproved, []int64{1}, nil, "its /reject belongs to"},
		{"approve, then reject in a list", 1, "alice ok one\nalice ok one - look|/reject a", StatusPending, nil, nil, "taken back"},
		{"approve in a quote", 1, "alice ok one > look|/approve a", StatusPending, nil, nil, "its /approve belongs to"},
		{"request changes in a quote", 1, "bob ok one\nalice changes one > look|/approve a", StatusPending, []int64{1}, nil, "held"},
		{"reject, edited comment", 1, "bob ok one\nalice says one edited /reject a", StatusApproved, []int64{1}, nil, "edited"},
	})
}

func TestEvaluateDismissals(t *testing.T) {
	run(t, []verdictCase{
		{"the only approval", 1, `alice dismissed one`, StatusPending, nil, nil, ""},
		{"does not revive an older approval", 1, "alice ok one\nalice dismissed one", StatusPending, nil, nil, "was dismissed, and with it the earlier votes"},
		{"of an objection does not revive an approval", 1, "alice ok one\nalice changes one\nalice dismissed one", StatusPending, nil, nil, ""},
		{"a later vote stands", 1, "alice dismissed one\nalice ok one", StatusApproved, []int64{2}, nil, ""},
		{"of another person", 1, "alice ok one\nbob dismissed one", StatusApproved, []int64{1}, nil, ""},
		{"lifts a hold", 1, "bob ok one\nalice dismissed one", StatusApproved, []int64{1}, nil, ""},
	})
}

func run(t *testing.T, cases []verdictCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Evaluate(gateOf(c.count), reviews(t, c.reviews), shownGates())
			if got.Verdict.Status != c.status {
				t.Errorf("status %s, want %s: %s", got.Verdict.Status, c.status, explain(got.Verdict))
			}
			var votes []int64
			for _, v := range got.Votes {
				votes = append(votes, v.Review)
			}
			if d := cmp.Diff(c.votes, votes); d != "" {
				t.Errorf("votes: %s", d)
			}
			if d := cmp.Diff(c.unclear, got.Unclear); d != "" {
				t.Errorf("unclear: %s", d)
			}
			if (got.Rejected != nil) != (c.status == StatusRejected) {
				t.Errorf("rejected: %v", got.Rejected)
			}
			if !strings.Contains(explain(got.Verdict), c.says) {
				t.Errorf("%q does not say %q", explain(got.Verdict), c.says)
			}
		})
	}
}

func explain(v Verdict) string {
	s := v.Sentence
	for _, c := range v.Children {
		s += "; " + explain(c)
	}
	return s
}

func TestVoteKeepsTheFacts(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	r := Review{ID: 7, By: who("alice"), State: Approved, Commit: "one", Body: "looks right", At: at}
	want := []Vote{{Review: 7, By: who("alice"), Commit: "one", At: at, Words: "looks right"}}
	if d := cmp.Diff(want, Evaluate(gateOf(1), []Review{r}, shownGates()).Votes); d != "" {
		t.Error(d)
	}
}

// TestEvaluateProperties walks over random reviews. Whatever they are: the order in which they arrive says nothing, each
// vote is by another person who may vote, on this page, and the input is not changed.
func TestEvaluateProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		given := randomReviews(random)
		before := slices.Clone(given)
		got := Evaluate(gateOf(2), given, shownGates())
		if d := cmp.Diff(before, given); d != "" {
			t.Fatalf("the input changed: %s", d)
		}
		random.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
		if d := cmp.Diff(got, Evaluate(gateOf(2), given, shownGates())); d != "" {
			t.Fatalf("the order of arrival matters: %s\n%v", d, given)
		}
		checkVotes(t, got, before)
	}
}

func randomReviews(random *rand.Rand) []Review {
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "robot"}
	bodies := []string{"", "", "/approve a", "/approve b", "/reject a no", "fine", "/approve a\n/approve b"}
	states := []ReviewState{Approved, Approved, Approved, ChangesRequested, Commented, Dismissed}
	commits := []string{"one", "one", "two", "old", "none", "other", "f00", ""}
	out := make([]Review, random.IntN(8))
	for i := range out {
		out[i] = Review{ID: int64(10 + i), By: who(names[random.IntN(len(names))]), State: states[random.IntN(len(states))],
			Commit: commits[random.IntN(len(commits))], Body: bodies[random.IntN(len(bodies))], Edited: random.IntN(6) == 0}
	}
	return out
}

func checkVotes(t *testing.T, got Decision, given []Review) {
	t.Helper()
	seen := map[int64]bool{}
	for _, v := range got.Votes {
		r := given[v.Review-10]
		if seen[v.By.ID] || v.By.Bot || !v.By.Write || v.By.ID == 5 || !Named(v.By, gateOf(2).Rule.From) {
			t.Fatalf("%s has no vote, or had one", v.By.Login)
		}
		if r.State != Approved || r.Commit != "one" && r.Commit != "two" || r.Commit == "two" && !strings.Contains(r.Body, "/approve a") {
			t.Fatalf("review %v approves nothing", r)
		}
		for _, later := range given[v.Review-9:] {
			if later.By.ID == v.By.ID && later.State == Dismissed {
				t.Fatalf("vote %d was dismissed by %d", v.Review, later.ID)
			}
		}
		seen[v.By.ID] = true
	}
	if got.Verdict.Status == StatusApproved && len(got.Votes) < 2 {
		t.Fatalf("approved by %d of 2", len(got.Votes))
	}
}
