package journal

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// MessageFacts is what a commit message says beyond its events.
type MessageFacts struct {
	Incident incident.ID
	Plan     runbook.Plan // for the risks of the steps

	Rehearsal bool // the incident is one
}

// subjectLength is the longest subject, in bytes.
const subjectLength = 72

// Message is the commit message for events that travel in one commit: the most telling event as the subject, the others
// one a line, then the marks. It holds names of steps, fixed words, numbers and digests; of people's text it holds logins
// in trailers, without a sign that would mention anybody. It never closes an issue.
func Message(events []incident.Event, facts MessageFacts) string {
	var b strings.Builder
	first := telling(events)
	if first < 0 {
		b.WriteString("nothing was recorded\n")
	} else {
		b.WriteString(subject(events[first].Data) + "\n")
	}
	for i, e := range events {
		if i == 0 && len(events) > 1 {
			b.WriteString("\n")
		}
		if i != first {
			b.WriteString(sentence(e.Data) + "\n")
		}
	}
	b.WriteString("\n" + Marks(events, facts))
	return b.String()
}

// telling is the index of the event that a reader of `git log --oneline` wants to see; the later of equals. -1 if none.
func telling(events []incident.Event) int {
	best, rank := -1, 0
	for i, e := range events {
		if r := weight(e.Data); r >= rank {
			best, rank = i, r
		}
	}
	return best
}

func weight(data incident.Data) int {
	switch d := data.(type) {
	case incident.Ended:
		return 10
	case incident.CancelAsked, incident.Recalled, incident.Opened, incident.UndoBegun:
		return 9
	case incident.StepUnknown, incident.GlassBroken, incident.Thawed, incident.PlanEdited, incident.Paused, incident.Resumed, incident.Reopened:
		return 8
	case incident.GateRejected, incident.GateExpired:
		return 7
	case incident.StepStarted:
		return 6
	case incident.StepEnded:
		if d.Conclusion != runbook.Succeeded {
			return 5
		}
		return 3
	case incident.StepBroken, incident.StepByHand, incident.RetryAsked:
		return 5
	case incident.GateOpened, incident.GateApproved, incident.GateLifted, incident.GateEscalated, incident.GlassReviewed, incident.EachExpanded:
		return 4
	case incident.Mitigated, incident.FinallyBegun, incident.ChildOpened, incident.RunDispatched, incident.RunStopAsked, incident.RepeatStarted, incident.RepeatEnded:
		return 2
	case incident.StepSkipped:
		if d.Deed != nil {
			return 5
		}
		return 1
	case incident.Acknowledged, incident.GateReminded, incident.Noted, incident.SeveritySet, incident.Assigned:
		return 1
	}
	return 0
}

// subject is the sentence, cut to its bound by shortening the name of the step.
func subject(data incident.Data) string {
	s := sentence(data)
	if len(s) <= subjectLength {
		return s
	}
	name, rest, _ := strings.Cut(s, ": ")
	room := subjectLength - len(rest) - len("...: ")
	return name[:max(0, min(room, len(name)))] + "...: " + rest
}

// sentence says an event in fixed words.
func sentence(data incident.Data) string {
	if name := incident.StepOf(data); name != "" {
		if text := rehearsed(data); text != "" {
			return stepName(name) + ": " + text
		}
		return stepName(name) + ": " + stepSentence(data)
	}
	switch d := data.(type) {
	case incident.Opened:
		if d.Rehearsal != nil {
			return "rehearsal opened: nothing is changed"
		}
		if d.Parent != nil {
			return "incident opened by a step of another one"
		}
		return "incident opened"
	case incident.PullOpened:
		return fmt.Sprintf("pull request %d recorded", d.Number)
	case incident.AlertUpdated:
		if d.Alert.Status == incident.ResolvedNow {
			return "alert reported as resolved"
		}
		return "alert reported again"
	case incident.Acknowledged:
		return "a person has taken notice"
	case incident.CancelAsked:
		return stopSentence(d.During)
	case incident.Thawed:
		if d.Restored != "" {
			return "thawed: the branch was restored"
		}
		return fmt.Sprintf("thawed: commits of others are disowned (%d)", len(d.Disowned))
	case incident.PlanEdited:
		return fmt.Sprintf("plan edited (steps: %d)", len(d.Changed)+len(d.Added)+len(d.Removed))
	case incident.Paused:
		return "paused by a person"
	case incident.Resumed:
		return "goes on after a pause"
	case incident.Reopened:
		return "reopened by a person"
	case incident.Noted:
		return "a person noted something"
	case incident.CommandRefused:
		return "nothing of a comment was done"
	case incident.SeveritySet:
		return "severity set by a person"
	case incident.Recalled:
		return "stopped: the parent does not want it to go on"
	case incident.UndoBegun:
		return "what was done is undone"
	case incident.FinallyBegun:
		return "only the finally steps are left"
	case incident.Mitigated:
		return "mitigated: the problem is over"
	case incident.Ended:
		return endSentence(d.End)
	}
	return data.Kind()
}

func stopSentence(during runbook.Stage) string {
	switch during {
	case runbook.StageUndo:
		return "a person stopped the undoing"
	case runbook.StageFinally:
		return "a person stopped the finally steps"
	}
	return "a person stopped the incident"
}

func endSentence(end incident.End) string {
	switch end {
	case incident.EndCancelled:
		return "incident ended: cancelled"
	case incident.EndUndone:
		return "incident ended: undone"
	}
	return "incident ended: resolved"
}

// rehearsed says what did not run, in a rehearsal; empty for anything else.
func rehearsed(data incident.Data) string {
	switch d := data.(type) {
	case incident.StepStarted:
		if d.WouldRun {
			return fmt.Sprintf("would run, in a rehearsal (attempt %d)", d.Attempt)
		}
	case incident.StepEnded:
		if d.WouldRun && d.Conclusion == runbook.Succeeded {
			return fmt.Sprintf("would have run, in a rehearsal (attempt %d)", d.Attempt)
		}
	}
	return ""
}

func stepSentence(data incident.Data) string {
	switch d := data.(type) {
	case incident.GateOpened:
		return fmt.Sprintf("waits for approval (round %d)", d.Round)
	case incident.GateApproved:
		return fmt.Sprintf("approved (votes: %d)", len(d.Votes))
	case incident.EachExpanded:
		return "has elements: " + strconv.Itoa(len(d.Keys))
	case incident.GateRejected:
		return "approval refused"
	case incident.GateExpired:
		return "not approved in time"
	case incident.GateLifted:
		return "no approval is needed any more"
	case incident.GlassBroken:
		return "a person broke the glass: it runs without approval"
	case incident.GlassReviewed:
		return fmt.Sprintf("the broken glass was reviewed (votes: %d)", len(d.Votes))
	case incident.GateReminded:
		return "people are reminded of its approval"
	case incident.GateEscalated:
		return fmt.Sprintf("more people are asked for approval (escalation %d)", d.Level)
	case incident.StepStarted:
		return startSentence(d)
	case incident.StepEnded:
		return fmt.Sprintf("%s (attempt %d, %s)", conclusion(d.Conclusion), d.Attempt, seconds(d.Ended.Sub(d.Started)))
	case incident.RepeatStarted:
		return fmt.Sprintf("about to run again (attempt %d)", d.Attempt)
	case incident.RepeatEnded:
		return fmt.Sprintf("repeated: %s (attempt %d, %s)", conclusion(d.Conclusion), d.Attempt, seconds(d.Ended.Sub(d.Started)))
	case incident.ChildOpened:
		return fmt.Sprintf("its own incident is open (attempt %d)", d.Attempt)
	case incident.RunDispatched:
		return fmt.Sprintf("its workflow runs on the hub as run %d (attempt %d)", d.Run, d.Attempt)
	case incident.RunStopAsked:
		return fmt.Sprintf("its workflow run is told to stop (attempt %d)", d.Attempt)
	case incident.StepSkipped:
		return "skipped"
	case incident.Assigned:
		return "assigned to a person"
	case incident.StepBroken:
		return "its values could not be worked out"
	case incident.StepUnknown:
		return fmt.Sprintf("nobody knows whether it happened (attempt %d)", d.Attempt)
	case incident.StepByHand:
		return "done by hand"
	case incident.RetryAsked:
		return fmt.Sprintf("a person asked to try again (round %d)", d.Round)
	}
	return data.Kind()
}

func startSentence(d incident.StepStarted) string {
	switch d.Work {
	case runbook.KindManual:
		return fmt.Sprintf("a person is asked to do it (attempt %d)", d.Attempt)
	case runbook.KindChoose:
		return fmt.Sprintf("a person is asked to choose (attempt %d)", d.Attempt)
	case runbook.KindWait:
		return "waits until " + d.Deadline.UTC().Format("2006-01-02 15:04:05") + " UTC"
	case runbook.KindRunbook:
		return fmt.Sprintf("about to open its own incident (attempt %d)", d.Attempt)
	}
	return fmt.Sprintf("about to run (attempt %d)", d.Attempt)
}

// seconds gives a tenth of a second below a minute and whole seconds above.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(0, d).Seconds())
	}
	return d.Round(time.Second).String()
}

func conclusion(c runbook.Conclusion) string {
	known := []runbook.Conclusion{runbook.Succeeded, runbook.Failed, runbook.TimedOut, runbook.Cancelled, runbook.Unknown}
	if !slices.Contains(known, c) {
		return "ended"
	}
	return strings.ReplaceAll(string(c), "_", " ")
}

// Plain forms of what a message quotes. Anything else is left out of the message; the journal has it.
var (
	plainStep  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$`) // an element's key is behind the dot
	plainLogin = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?$`)
	plainHex   = regexp.MustCompile(`^[0-9a-f]{40,64}$`)
	plainLock  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$`)
	issueLike  = regexp.MustCompile(`(?i)^gh-[0-9]+$`) // GitHub would link it
)

func stepName(name string) string {
	template, key, _ := runbook.SplitName(name)
	switch {
	case !plainStep.MatchString(name):
		return "step"
	case issueLike.MatchString(key):
		return template
	}
	return name
}

// Marks is the last paragraph of the message of a commit that holds events, a newline at its end: the format of version 1
// that `git interpret-trailers` and audit read. Each step's trailers stand together.
func Marks(events []incident.Event, facts MessageFacts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Incident: %s\n", facts.Incident)
	if n := len(events); n == 1 {
		fmt.Fprintf(&b, "Event: %d\n", events[0].Seq)
	} else if n > 1 {
		fmt.Fprintf(&b, "Event: %d-%d\n", events[0].Seq, events[n-1].Seq)
	}
	if facts.Rehearsal {
		b.WriteString("Rehearsal: yes\n")
	}
	var steps []string
	for _, e := range events {
		if opened, ok := e.Data.(incident.Opened); ok && opened.Parent != nil {
			b.WriteString(childMark("Parent", opened.Parent.Incident))
		}
		if thawed, ok := e.Data.(incident.Thawed); ok {
			b.WriteString(thawMarks(thawed))
		}
		if edited, ok := e.Data.(incident.PlanEdited); ok {
			b.WriteString(editMarks(edited))
		}
		if name := incident.StepOf(e.Data); name != "" && !slices.Contains(steps, name) {
			steps = append(steps, name)
		}
	}
	for _, name := range steps {
		fmt.Fprintf(&b, "Step: %s\n", stepName(name))
		if step, _, ok := facts.Plan.Written(name); ok {
			fmt.Fprintf(&b, "Risk: %s\n", step.Risk)
		}
		for _, e := range events {
			if incident.StepOf(e.Data) == name {
				b.WriteString(proofs(e.Data))
			}
		}
	}
	return b.String()
}

// proofs are the trailers of what an event rests on.
func proofs(data incident.Data) string {
	switch d := data.(type) {
	case incident.StepSkipped:
		return overriddenBy(d.Votes)
	case incident.StepByHand:
		return overriddenBy(d.Votes)
	case incident.GateApproved:
		var b strings.Builder
		for _, v := range d.Votes {
			b.WriteString("Approved-by: " + saidBy(v))
		}
		return b.String()
	case incident.GlassBroken:
		return "Glass-broken-by: " + saidBy(d.Vote)
	case incident.GlassReviewed:
		var b strings.Builder
		for _, v := range d.Votes {
			b.WriteString("Glass-reviewed-by: " + saidBy(v))
		}
		return b.String()
	case incident.RepeatEnded:
		if plainHex.MatchString(d.Evidence) {
			return "Evidence-Sha256: " + d.Evidence + "\n"
		}
	case incident.ChildOpened:
		return childMark("Child", d.Incident)
	case incident.StepStarted:
		var b strings.Builder
		for _, lock := range d.Locks {
			if plainLock.MatchString(lock) {
				b.WriteString("Lock: " + lock + "\n")
			}
		}
		return b.String()
	case incident.StepEnded:
		if plainHex.MatchString(d.Evidence) {
			return "Evidence-Sha256: " + d.Evidence + "\n"
		}
	}
	return ""
}

// childMark names another incident, if its name is one.
func childMark(what string, id incident.ID) string {
	if _, err := incident.ParseID(string(id)); err != nil {
		return ""
	}
	return what + ": " + string(id) + "\n"
}

// thawMarks name who gave the branch back, what is disowned by it, and what was restored.
func thawMarks(d incident.Thawed) string {
	s := "Thawed-by: " + saidBy(approval.Vote{By: d.Deed.By, Review: d.Deed.ID, Commit: d.On})
	for _, sha := range d.Disowned {
		if plainHex.MatchString(sha) {
			s += "Disowned: " + sha + "\n"
		}
	}
	if plainHex.MatchString(d.Restored) {
		s += "Restored: " + d.Restored + "\n"
	}
	return s
}

// overriddenBy names the reviews by which a gate was overridden.
func overriddenBy(votes []approval.Vote) string {
	var b strings.Builder
	for _, v := range votes {
		b.WriteString("Overridden-by: " + saidBy(v))
	}
	return b.String()
}

// saidBy names a review: LOGIN (ID) review N at COMMIT.
func saidBy(v approval.Vote) string {
	s := fmt.Sprintf("%s review %d", who(v.By), v.Review)
	if plainHex.MatchString(v.Commit) {
		s += " at " + v.Commit
	}
	return s + "\n"
}

// who names a person: LOGIN (ID).
func who(p approval.Person) string {
	id := fmt.Sprintf("(%d)", p.ID)
	if plainLogin.MatchString(p.Login) && !issueLike.MatchString(p.Login) {
		return p.Login + " " + id
	}
	return id
}

// Range is what a commit message says about the events in its commit.
type Range struct {
	Incident    incident.ID
	First, Last int // sequence numbers; both 0 when it holds no event
}

var marksForm = regexp.MustCompile(`^Incident: ([^\n]*)\n(?:Event: ([0-9]{1,9})(?:-([0-9]{1,9}))?\n)?`)

// ParseRange reads the first marks of a commit message that Message wrote. Anything else is an error.
func ParseRange(message string) (Range, error) {
	marks := LastParagraph(message)
	m := marksForm.FindStringSubmatch(marks)
	if m == nil {
		return Range{}, errors.New("the commit message has no trailer Incident: at the start of its last paragraph")
	}
	id, err := incident.ParseID(m[1])
	if err != nil {
		return Range{}, fmt.Errorf("trailer Incident: %w", err)
	}
	if m[2] == "" {
		return Range{Incident: id}, nil
	}
	if m[3] == "" {
		m[3] = m[2]
	}
	first, err := strconv.Atoi(m[2])
	last, err2 := strconv.Atoi(m[3])
	if err != nil || err2 != nil || first < 1 || first > last {
		return Range{}, fmt.Errorf("trailer Event: %s to %s is no range of events", m[2], m[3])
	}
	return Range{Incident: id, First: first, Last: last}, nil
}

// LastParagraph is where the trailers of a commit message stand.
func LastParagraph(message string) string {
	i := strings.LastIndex(strings.TrimRight(message, "\n"), "\n\n")
	if i < 0 {
		return message
	}
	return message[i+2:]
}
