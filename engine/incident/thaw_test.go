package incident

import (
	"fmt"
	"strings"
	"testing"
)

// meddle lets somebody else write to the branch: "foreign" adds so many commits, "moved" puts the branch to another commit,
// "replaced" deletes it and makes it anew at another one, "gone" deletes it, and of a branch that is "lost" as well the hub does not have what the engine left.
func (s *stage) meddle(t *testing.T, how, value string) {
	t.Helper()
	b := &s.view.Branch
	switch how {
	case "foreign":
		b.Foreign = &Foreign{Commit: "f00", Why: "it is not signed", All: []string{"f00"}}
		if value != "yes" {
			b.Foreign.All = nil
			for i := range number(t, value) {
				b.Foreign.All = append(b.Foreign.All, fmt.Sprintf("f%02d", i))
			}
		}
		b.Tip = b.Foreign.All[len(b.Foreign.All)-1]
		if s.view.Pull.Open { // the head of a closed one stays
			s.view.Pull.Head = b.Tip
		}
	case "moved":
		b.Gone, b.Tip, s.view.Pull.Head = true, value, value
	case "replaced":
		b.Gone, b.Tip, s.view.Pull.Open = true, value, false // the hub closed the pull request when the branch was deleted, and its head stays
	case "gone":
		b.Gone, b.Deleted, b.Tip, s.view.Pull.Open = true, true, "", false
	case "lost":
		b.Lost = "what the engine left on the branch is not on the hub any more, and nothing can restore it"
	}
}

// thaws gives the branch back, as the commit of the event does.
func (s *stage) thaws(c Commit) {
	if d, ok := c.Events[0].(Thawed); ok {
		s.view.Branch.Foreign, s.view.Branch.Gone, s.view.Branch.Deleted = nil, false, false
		s.view.Branch.Tip = s.view.Branch.Head
		s.thawing = d
	}
}

// TestThawSaysWhatItDoes: the event holds the review with all that verify asks for, and the commits by name.
func TestThawSaysWhatItDoes(t *testing.T) {
	s := atGate(t)
	s.hub(t, map[string]string{"foreign": "2"})
	s.review(map[string]string{"id": "5", "by": "alice", "at": "f01", "state": "commented"}, "> /thaw no\n\n/thaw  it was   a slip\n")
	s.look(t)
	d := s.thawing
	if d.Why != "it was a slip" || strings.Join(d.Disowned, " ") != "f00 f01" || d.Restored != "" || d.Deed.By.Login != "alice" || d.Deed.ID != 5 || d.Deed.Via != "review" {
		t.Errorf("%+v", d)
	}
	s.hub(t, map[string]string{"moved": "f01"}) // somebody puts the branch back to what was disowned: the same review does not count again
	before := s.state.Seq
	s.look(t)
	if s.state.Seq != before {
		t.Error("one review thawed twice")
	}
	s.review(map[string]string{"id": "6", "by": "alice", "at": "f01"}, "/thaw again")
	s.look(t)
	if d := s.thawing; d.Restored == "" || d.Replaced != "f01" || len(d.Disowned) != 0 {
		t.Errorf("%+v", d)
	}
}

// TestFoldRefusesThaws that no engine writes.
func TestFoldRefusesThaws(t *testing.T) {
	s := atGate(t)
	deed := Deed{By: person(map[string]string{"by": "alice"}), Via: "review", ID: 9}
	comment := deed
	comment.Via = "comment"
	for name, d := range map[string]Thawed{
		"nothing is thawed":         {Deed: deed},
		"both ways":                 {Deed: deed, Disowned: []string{"f"}, Restored: "c"},
		"replaced and not restored": {Deed: deed, Disowned: []string{"f"}, Replaced: "c"},
		"by a comment":              {Deed: comment, Disowned: []string{"f"}},
	} {
		if _, err := s.state.With(s.state.Next([]Data{d}, s.now)...); err == nil {
			t.Errorf("%s: the fold takes it", name)
		}
	}
	good := s.state.Next([]Data{Thawed{Deed: deed, Disowned: []string{"f"}}}, s.now)
	once, err := s.state.With(good...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := once.With(once.Next([]Data{good[0].Data}, s.now)...); err == nil {
		t.Error("one review thaws twice")
	}
}

// atGate is an incident whose only step waits for an approval.
func atGate(t *testing.T) *stage {
	t.Helper()
	s := newStage()
	s.makePlan(t, "a exec change approve=1")
	s.open(t)
	s.look(t)
	return s
}

// TestThawAfterTheEnd: somebody writes to the branch of an incident that has ended and is not merged yet.
func TestThawAfterTheEnd(t *testing.T) {
	s := atGate(t)
	ended, err := s.state.With(s.state.Next([]Data{Ended{End: EndCancelled}}, s.now)...)
	if err != nil {
		t.Fatal(err)
	}
	s.state, s.pushed, s.view.Branch.Pushed = ended, ended, ended.Seq
	s.hub(t, map[string]string{"foreign": "yes"})
	s.review(map[string]string{"id": "5", "by": "alice", "at": "f00"}, "/thaw it belongs elsewhere")
	if said := s.look(t); !strings.Contains(said, "commit thawed\n") || !strings.Contains(said, "\nmerge c5: ") {
		t.Errorf("it is not thawed and merged:\n%s", said)
	}
}
