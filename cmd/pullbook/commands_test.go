package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

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
// a gate that is skipped by those who may approve it, and the answers to what was not obeyed.
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
		if err := s.world.comment(t.Context(), "bob", number, body); err != nil {
			t.Fatal(err)
		}
	}
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
	for _, m := range comments {
		obeyed := strings.HasPrefix(m.GetBody(), "/pause") || strings.HasSuffix(m.GetBody(), "errors=3") || m.GetBody() == "/resume"
		if eyes := m.GetReactions().GetEyes(); obeyed != (eyes == 1) {
			t.Errorf("%q has %d reactions", m.GetBody(), eyes)
		}
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
