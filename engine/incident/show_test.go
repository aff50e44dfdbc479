package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// show prints an action on one line, as its name and what tells it from others.
func show(action Action) string {
	switch a := action.(type) {
	case Commit:
		var kinds []string
		for _, e := range a.Events {
			kinds = append(kinds, e.Kind())
		}
		extra := ""
		if len(a.Pages) > 0 {
			extra += " pages=" + strings.Join(slices.Sorted(maps.Keys(a.Pages)), ",")
		}
		if a.Report {
			extra += " report"
		}
		return "commit " + strings.Join(kinds, " ") + extra
	case Flush:
		var gates []string
		for _, g := range a.Confirm {
			gates = append(gates, g.Step)
		}
		for _, o := range a.Overrides {
			gates = append(gates, o.Gate.Verb+" "+o.Gate.Step)
		}
		before := ""
		if !a.Before.IsZero() {
			before = " before " + a.Before.Format("15:04:05")
		}
		return strings.TrimSpace("flush "+a.Why+" confirm="+strings.Join(gates, ",")) + before
	case Start:
		return fmt.Sprintf("start %s repeatable=%t", a.Key, a.Repeatable)
	case Stop:
		return "stop " + a.Key
	case PublishCheck:
		return fmt.Sprintf("check %s at %d", a.ExternalID, a.Seq)
	case PublishRollup:
		return fmt.Sprintf("rollup %s: %s", a.Status, strings.Join(strings.Fields(a.Summary), " "))
	case PublishBody:
		return fmt.Sprintf("body urgent=%t", a.Urgent)
	case RequestReview:
		return "request review of " + a.Step + " from " + strings.Join(a.From, ",")
	case WithdrawReviews:
		return "ask no more " + strings.Join(a.From, ",")
	case Reply:
		first, _, _ := strings.Cut(a.Text, "\n")
		return "reply " + a.Key + ": " + first
	case AnswerEdit:
		return showEdit(a)
	case AwaitLocks:
		return "await locks " + strings.Join(a.Names, ",")
	case WakeAt:
		return "wake at " + a.At.Format("15:04:05") + ": " + a.Why
	case OpenChild:
		return openingOf(a)
	case TellChild:
		return "tell " + string(a.Incident)
	case Merge:
		return "merge " + a.Head + ": " + a.Title
	}
	return strings.TrimPrefix(fmt.Sprintf("%T %v", action, action), "incident.")
}

// buttons are those of the check run of a step, or of the one that stands for the whole incident.
func (s *stage) buttons(step string) string {
	buttons := s.state.RollupButtons(s.plan)
	if step != "" {
		buttons = s.state.StepButtons(s.plan, step)
	}
	var b strings.Builder
	for _, x := range buttons {
		fmt.Fprintf(&b, "[%s] %s (%s)\n", x.Label, x.Identifier, x.Description)
	}
	return b.String()
}
