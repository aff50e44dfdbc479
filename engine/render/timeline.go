package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Line is one event in a person's language. Both texts are one plain line without Markdown, fit for a terminal; a caller that
// puts them into Markdown passes them through Safe.
type Line struct {
	At   time.Time // when it was written down, UTC
	Who  string    // a login, several with commas, "engine", or "alert" for a monitoring tool
	What string    // for example "approved the gate of rollback"
}

const (
	whoEngine = "engine"
	whoAlert  = "alert"
)

// Timeline tells a journal, one line an event.
func Timeline(events []incident.Event) []Line {
	lines := make([]Line, len(events))
	for i, e := range events {
		lines[i] = tell(e)
	}
	return lines
}

// Progress is one plain line for a terminal, for example "03:04:05 alice: approved the gate of rollback (review 7)".
func Progress(e incident.Event) string {
	l := tell(e)
	return l.At.Format("15:04:05") + " " + l.Who + ": " + l.What
}

func tell(e incident.Event) Line {
	who, what := tellIncident(e.Data)
	if what == "" {
		who, what = tellGate(e.Data)
	}
	if what == "" {
		who, what = tellStep(e.Data)
	}
	if what == "" {
		who, what = whoEngine, "recorded "+e.Data.Kind()
	}
	return Line{At: e.At.UTC(), Who: plain(who, 200), What: plain(what, 500)}
}

func tellIncident(data incident.Data) (who, what string) {
	switch d := data.(type) {
	case incident.Opened:
		what = "opened the incident"
		if d.Rehearsal != nil {
			what = "opened a rehearsal"
		}
		what += fmt.Sprintf(" for the alert %s with %s: %s", plain(d.Alert.Name, 100), d.Runbook, d.Why)
		if n := len(d.Problems); n > 0 {
			what += fmt.Sprintf(" (%s could not be used)", plural(n, "runbook", "runbooks"))
		}
		return whoEngine, what
	case incident.PullOpened:
		return whoEngine, fmt.Sprintf("opened pull request %d", d.Number)
	case incident.AlertUpdated:
		return whoAlert, "the alert is " + string(d.Alert.Status) + ": " + plain(d.Alert.Name, 100)
	case incident.Acknowledged:
		return d.Deed.By.Login, "took notice"
	case incident.CancelAsked:
		return d.Deed.By.Login, stopped(d.During) + ": " + d.Why
	case incident.Thawed:
		if d.Restored != "" {
			return d.Deed.By.Login, "gave the branch back to the engine, at its last commit: " + d.Why
		}
		return d.Deed.By.Login, "gave the branch back to the engine (" + plural(len(d.Disowned), "commit", "commits") + " of others disowned): " + d.Why
	case incident.PlanEdited:
		return planEdited(d)
	case incident.Paused:
		return d.Deed.By.Login, "paused the incident: " + d.Why
	case incident.Resumed:
		return d.Deed.By.Login, "let the incident go on"
	case incident.Reopened:
		return d.Deed.By.Login, "reopened the incident"
	case incident.Noted:
		return d.Deed.By.Login, "noted: " + d.Text
	case incident.CommandRefused:
		return d.Deed.By.Login, "wrote commands of which nothing was done: " + d.Why
	case incident.SeveritySet:
		return d.Deed.By.Login, "set the severity to " + d.Severity
	case incident.Recalled:
		return whoEngine, "the incident that opened this one does not want it to go on: " + d.Why
	case incident.UndoBegun:
		return whoEngine, "began to undo what had succeeded: " + d.Why
	case incident.FinallyBegun:
		return whoEngine, "only the finally steps are left; the end will be: " + string(d.End)
	case incident.Mitigated:
		if d.Deed != nil {
			return d.Deed.By.Login, "said that the problem is over"
		}
		return whoEngine, "the problem is over: " + d.How
	case incident.Ended:
		return whoEngine, "the incident has ended: " + string(d.End)
	}
	return "", ""
}

func stopped(during runbook.Stage) string {
	switch during {
	case runbook.StageUndo:
		return "stopped the undoing"
	case runbook.StageFinally:
		return "stopped the finally steps"
	}
	return "cancelled the incident"
}

func tellGate(data incident.Data) (who, what string) {
	switch d := data.(type) {
	case incident.GateOpened:
		rule := d.Rule
		what = "asked for the approval of " + d.Step + ": " + rule.String()
		if d.Round > 1 {
			what += fmt.Sprintf(" (round %d)", d.Round)
		}
		for _, demand := range d.Because {
			what += "; " + demand.String()
		}
		return whoEngine, what
	case incident.GateApproved:
		reviews := ""
		for i, v := range d.Votes {
			if i > 0 {
				reviews += ", "
			}
			reviews += fmt.Sprint(v.Review)
		}
		return logins(d.Votes), "approved the gate of " + d.Step + " (review " + reviews + ")"
	case incident.GateRejected:
		return d.Vote.By.Login, fmt.Sprintf("rejected the gate of %s (review %d): %s", d.Step, d.Vote.Review, d.Vote.Words)
	case incident.GateExpired:
		if d.Abort {
			return whoEngine, "the gate of " + d.Step + " expired, and the incident is aborted: nobody approved it in time"
		}
		return whoEngine, "the gate of " + d.Step + " expired: nobody approved it in time"
	case incident.GlassBroken:
		return d.Vote.By.Login, fmt.Sprintf("broke the glass of %s (review %d): %s", d.Step, d.Vote.Review, d.Why)
	case incident.GlassReviewed:
		return logins(d.Votes), fmt.Sprintf("reviewed that the glass of %s was broken (event %d)", d.Step, d.Event)
	case incident.GateReminded:
		return whoEngine, "reminded people of the gate of " + d.Step
	case incident.GateEscalated:
		return whoEngine, fmt.Sprintf("asked more people about the gate of %s (escalation %d): %s", d.Step, d.Level, d.Why)
	case incident.GateLifted:
		return whoEngine, "the gate of " + d.Step + " is not needed any more: the time of what the calendar demanded is over"
	}
	return "", ""
}

func tellStep(data incident.Data) (who, what string) {
	switch d := data.(type) {
	case incident.EachExpanded:
		return whoEngine, d.Step + " is done for " + plural(len(d.Keys), "element", "elements") + because(strings.Join(d.Keys, ", "))
	case incident.StepStarted:
		if d.WouldRun {
			return whoEngine, fmt.Sprintf("would have started %s, in a rehearsal (attempt %d, risk %s)", d.Step, d.Attempt, d.Risk)
		}
		switch d.Work {
		case runbook.KindManual:
			return whoEngine, "asked a person to do " + d.Step
		case runbook.KindChoose:
			return whoEngine, "asked a person to choose " + d.Step
		case runbook.KindWait:
			return whoEngine, d.Step + " waits until " + stamp(d.Deadline)
		case runbook.KindRunbook:
			return whoEngine, fmt.Sprintf("ordered an incident of its own for %s (attempt %d, risk %s)", d.Step, d.Attempt, d.Risk)
		}
		return whoEngine, fmt.Sprintf("started %s (attempt %d, risk %s)", d.Step, d.Attempt, d.Risk)
	case incident.StepEnded:
		return tellEnd(d)
	case incident.RepeatStarted:
		return whoEngine, fmt.Sprintf("began to repeat %s (attempt %d)", d.Step, d.Attempt)
	case incident.RepeatEnded:
		return whoEngine, fmt.Sprintf("repeated %s: %s (attempt %d, %s)", d.Step, ended(d.Conclusion), d.Attempt, lasted(d.Ended.Sub(d.Started))) + because(d.Error)
	case incident.ChildOpened:
		return whoEngine, fmt.Sprintf("%s is followed by incident %s (attempt %d)", d.Step, d.Incident, d.Attempt)
	case incident.RunDispatched:
		return whoEngine, fmt.Sprintf("%s runs its workflow as run %d (attempt %d)", d.Step, d.Run, d.Attempt)
	case incident.RunStopAsked:
		return whoEngine, fmt.Sprintf("told the workflow run of %s to stop (attempt %d)", d.Step, d.Attempt)
	case incident.StepSkipped:
		who, what = whoEngine, "skipped "+d.Step+because(d.Why)
		if d.Deed != nil {
			who = d.Deed.By.Login
		}
		if len(d.Votes) > 0 {
			who = logins(d.Votes)
		}
		return who, what
	case incident.Assigned:
		return d.Deed.By.Login, "assigned " + d.Step + " to " + d.To.Login
	case incident.StepBroken:
		return whoEngine, "could not work out the values of " + d.Step + because(d.Problem)
	case incident.StepUnknown:
		return whoEngine, fmt.Sprintf("asked whether attempt %d of %s happened: its outcome is lost", d.Attempt, d.Step)
	case incident.StepByHand:
		what = "did " + d.Step + " by hand" + because(d.What)
		if len(d.Votes) > 0 {
			what += " (confirmed by " + logins(d.Votes) + ")"
		}
		return d.Deed.By.Login, what
	case incident.RetryAsked:
		if d.For != "" {
			return whoEngine, fmt.Sprintf("begins %s anew, for %s is tried again (round %d)", d.Step, d.For, d.Round)
		}
		return d.Deed.By.Login, fmt.Sprintf("asked to try %s again (round %d)", d.Step, d.Round)
	}
	return "", ""
}

func tellEnd(d incident.StepEnded) (who, what string) {
	if d.Deed != nil {
		var answer struct{ Choice string }
		if err := json.Unmarshal(d.Output, &answer); err == nil && answer.Choice != "" {
			return d.Deed.By.Login, "chose " + answer.Choice + " for " + d.Step
		}
		return d.Deed.By.Login, "finished " + d.Step
	}
	if d.WouldRun && d.Conclusion == runbook.Succeeded {
		return whoEngine, fmt.Sprintf("%s: %s, in a rehearsal (attempt %d)", d.Step, wouldRun, d.Attempt)
	}
	what = fmt.Sprintf("%s: %s (attempt %d, %s)", d.Step, ended(d.Conclusion), d.Attempt, lasted(d.Ended.Sub(d.Started)))
	return whoEngine, what + because(d.Error)
}

// because adds a reason where there is one.
func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
