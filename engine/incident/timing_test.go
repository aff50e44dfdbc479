package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// timing reads what the transcripts say of the time of a gate; escalate is COUNT:WHO:WITHIN, several with semicolons.
func timing(t *testing.T, rule *runbook.Approval, key, value string) {
	t.Helper()
	length := func(s string) time.Duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	switch key {
	case "within":
		rule.Within = length(value)
	case "remind":
		rule.Remind = length(value)
	case "aborts":
		rule.OnTimeout = runbook.TimeoutAborts
	case "escalate":
		rule.OnTimeout = runbook.TimeoutEscalates
		for one := range strings.SplitSeq(value, ";") {
			part := strings.Split(one, ":")
			rule.Escalate = append(rule.Escalate, runbook.Approval{From: []string{part[1]}, Count: int(number(t, part[0])), Within: length(part[2])})
		}
	}
}

// left moves people: members sets who is in which team, as the hub lists them; leaves takes a person out of all teams, with
// what they said before. verdict prints what a gate says of itself.
func (s *stage) left(what string, args map[string]string) string {
	switch what {
	case "members":
		s.view.Teams = map[string][]int64{}
		for team, names := range args {
			s.view.Teams[team] = []int64{}
			for _, name := range keys(names) {
				s.view.Teams[team] = append(s.view.Teams[team], person(map[string]string{"by": name}).ID)
			}
		}
	case "leaves":
		for i := range s.view.Reviews {
			if s.view.Reviews[i].By.Login == args["by"] {
				s.view.Reviews[i].By.Teams = nil
			}
		}
	case "may-write":
		for i := range s.view.Comments {
			if c := &s.view.Comments[i]; c.By.Login == args["by"] {
				c.By.Write = args["not"] == ""
			}
		}
	case "verdict":
		var b strings.Builder
		answer := s.state.Verdict(s.plan, args["step"], s.view)
		tree(&b, answer.Verdict, "")
		if len(answer.Helpers) > 0 {
			fmt.Fprintf(&b, "could help: %s\n", strings.Join(slices.Sorted(slices.Values(answer.Helpers)), ", "))
		}
		return b.String()
	}
	return "ok\n"
}

func tree(b *strings.Builder, v approval.Verdict, indent string) {
	fmt.Fprintf(b, "%s%s: %s\n", indent, v.Status, v.Sentence)
	for _, c := range v.Children {
		tree(b, c, indent+"  ")
	}
}

// glass reads glass=WHO,... who may break the glass; one of acme/leads reviews that. noglass is a step of which nobody may.
func (s *stage) glass(args map[string]string) {
	if who := keys(args["glass"]); len(who) > 0 {
		s.plan.BreakGlass = &runbook.BreakGlass{By: who, Review: runbook.Approval{From: []string{"acme/leads"}, Count: 1}, Notify: []string{"acme/security"}}
	}
	for i := range s.plan.Steps {
		if s.plan.Steps[i].Name == args["noglass"] {
			s.plan.Steps[i].Approval.NoGlass = true
		}
	}
}
