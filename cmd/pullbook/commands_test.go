package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// spokenRunbook asks for values, has a gate that is overridden, and goes on behind it.
const spokenRunbook = `title: "Ask, skip, go on"
match: labels: service: "spoken"
severity: "sev3"
alert: _
steps: {
	look: {manual: task: "Look at the release", output: {version: string, errors: int}}
	risky: {
		needs: ["look"]
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["sh", "-c", "exit 3"]
	}
	after: {
		risk:  "read"
		title: "Go on with \(look.output.version)"
		needs: ["look"]
		exec: {command: ["sh", "-c", "test $ERRORS = 3"], env: ERRORS: "\(look.output.errors)"}
	}
}
`

// TestCommands drives a running incident by what people say: a pause, a severity, values of a type, a step that is assigned,
// a gate that is skipped by those who may approve it, and the answers to what was not obeyed. Somebody who marks comments as the
// engine does changes nothing by it, and neither does somebody who deletes the engine's answers.
func TestCommands(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/spoken.cue": spokenRunbook}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Spoken", Labels: map[string]string{"service": "spoken"}})
	seen := s.await(t, group, "somebody is asked to look", func(v sight) bool { return v.started("look") })
	number := seen.pull.GetNumber()
	say := func(body string) {
		t.Helper()
		c, err := s.world.client("bob")
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := c.Issues.CreateComment(t.Context(), demoOwner, demoName, number, &github.IssueComment{Body: &body})
		if err == nil {
			_, _, err = c.Reactions.CreateIssueCommentReaction(t.Context(), demoOwner, demoName, m.GetID(), "eyes")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	say("/resume")
	s.awaitAnswers(t, number, "the incident is not paused", "In answer to [this comment]("+seen.pull.GetHTMLURL()+"#issuecomment-")
	s.await(t, group, "what was refused is in the journal", func(v sight) bool { return has[incident.CommandRefused](v) })
	s.deleteAnswers(t, number)
	say("/pause the release is on its way\n/severity sev1\n/note customers cannot pay\n/assign look @bob")
	say("/retyr look")
	say("/done look version=14 errors=three")
	say("<!--\n/cancel it\n-->\n/skip risky so")
	s.awaitAnswers(t, number, "did you mean `/retry`?", `errors: "three" is no int`, "It asks for:", "which a comment does not override")
	seen = s.await(t, group, "the pull request shows it", func(v sight) bool { return strings.HasPrefix(v.pull.GetTitle(), "[sev1]") })
	if !has[incident.Paused](seen) || !strings.Contains(seen.pull.GetBody(), "**Paused** by bob") {
		t.Errorf("the body does not show the pause:\n%s", seen.pull.GetBody())
	}
	say("/done look version=14 errors=3")
	s.await(t, group, "it is done", func(v sight) bool { _, ok := v.ended("look"); return ok })
	say("/resume")
	s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	if err := s.world.review(t.Context(), "alice", number, "/skip risky not needed"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	s.checkSpoken(t, seen)
	s.verify(t, 1)
}

func (s *scene) checkSpoken(t *testing.T, seen sight) {
	t.Helper()
	look, _ := seen.ended("look")
	if string(look.Output) != `{"version":"14","errors":3}` {
		t.Errorf("the values are recorded as %s", look.Output)
	}
	skipped, _ := find[incident.StepSkipped](seen)
	if skipped.Step != "risky" || len(skipped.Votes) != 1 || skipped.Votes[0].By.Login != "alice" || seen.started("risky") {
		t.Errorf("risky was skipped as %+v", skipped)
	}
	if after, _ := seen.ended("after"); after.Conclusion != "succeeded" {
		t.Errorf("the step behind the values ended as %q: %s", after.Conclusion, after.Error)
	}
	c, err := s.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	comments, _, err := c.Issues.ListComments(t.Context(), demoOwner, demoName, seen.pull.GetNumber(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resumes := 0
	for _, m := range comments {
		if m.GetBody() == "/resume" {
			resumes++
		}
		obeyed := strings.HasPrefix(m.GetBody(), "/pause") || strings.HasSuffix(m.GetBody(), "errors=3") || resumes == 2 && m.GetBody() == "/resume"
		marks, _, err := c.Reactions.ListIssueCommentReactions(t.Context(), demoOwner, demoName, m.GetID(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ours := slices.ContainsFunc(marks, func(r *github.Reaction) bool { return r.GetUser().GetType() == "Bot" })
		if obeyed != ours {
			t.Errorf("%q: obeyed %t, and the engine has marked it: %t", m.GetBody(), obeyed, ours)
		}
	}
	refused, resumed := 0, 0
	for _, e := range seen.events {
		switch e.Data.(type) {
		case incident.CommandRefused:
			refused++
		case incident.Resumed:
			resumed++
		}
	}
	if refused != 4 || resumed != 1 {
		t.Errorf("the journal has %d refused comments and %d resumptions, not 4 and 1", refused, resumed)
	}
}

// deleteAnswers deletes what the engine wrote, as everybody with write permission can.
func (s *scene) deleteAnswers(t *testing.T, number int) {
	t.Helper()
	c, err := s.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	comments, _, err := c.Issues.ListComments(t.Context(), demoOwner, demoName, number, nil)
	for _, m := range comments {
		if err == nil && m.GetUser().GetType() == "Bot" {
			_, err = c.Issues.DeleteComment(t.Context(), demoOwner, demoName, m.GetID())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// awaitAnswers waits until the engine's comments hold some texts.
func (s *scene) awaitAnswers(t *testing.T, number int, texts ...string) {
	t.Helper()
	c, err := s.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the engine's comments:\n" + said)
		}
	})
	waitFor(t, "the answers "+strings.Join(texts, ", "), func() bool {
		comments, _, err := c.Issues.ListComments(t.Context(), demoOwner, demoName, number, nil)
		all := ""
		defer func() { said = all }()
		for _, m := range comments {
			if m.GetUser().GetType() == "Bot" {
				all += m.GetBody()
			}
		}
		return err == nil && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(all, text) })
	})
}
