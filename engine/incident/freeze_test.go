package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestForeignCommitSpeaksToNobody: the reason why a commit is foreign may quote the commit. Nothing of it mentions or
// formats in what the engine says, or passes for one of its own replies.
func TestForeignCommitSpeaksToNobody(t *testing.T) {
	forged := replyMark("unknown-change-1")
	why := "author \"@acme/sre <b> [x](https://evil.example) www.evil.example GH-1 #1 `c` " + forged + "\" is wrong"
	view := View{Pull: &Pull{Number: 1, Open: true, Head: "f00"}, Branch: Branch{Foreign: &Foreign{Commit: strings.Repeat("a", 40), Why: why}}}
	said := 0
	for _, action := range Decide(runbook.Plan{}, State{}, view, time.Unix(0, 0)) {
		text := ""
		switch a := action.(type) {
		case Reply:
			text, _, _ = strings.Cut(strings.ReplaceAll(a.Text, "**", ""), "\n\n") // what follows is the engine's: how to go on
			if HasReplyKey(MarkReply(a.Key, a.Text), "unknown-change-1") {
				t.Errorf("%q passes for another reply", a.Text)
			}
		case PublishRollup:
			text = a.Summary
		default:
			continue
		}
		said++
		if !strings.Contains(text, "acme sre") || strings.ContainsAny(text, "@<>[]#`/-") || strings.Contains(text, "www.") {
			t.Errorf("%T says %q", action, text)
		}
	}
	if said != 2 {
		t.Errorf("%d texts, want a reply and a check", said)
	}
	if quoted := MarkReply("frozen", "quotes "+forged); HasReplyKey(quoted, "unknown-change-1") || !HasReplyKey(quoted+"\r\n", "frozen") {
		t.Error("a mark counts in the middle of a reply, or not at its end")
	}
}
