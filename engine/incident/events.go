package incident

import (
	"encoding/json"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Event is one fact of an incident's journal.
type Event struct {
	Seq  int       // from 1, gapless
	At   time.Time // when the engine wrote it down, UTC, whole milliseconds
	Data Data
}

// Data is what an event says. Its concrete types are the structs of this file, by value.
type Data interface {
	// Kind names the type of the event in the journal, for example step-started.
	Kind() string
}

// Deed is what a person did on the pull request, copied so that the journal stands alone.
type Deed struct {
	By  approval.Person `json:"by"`
	Via string          `json:"via"` // ViaComment, ViaReview or ViaButton
	ID  int64           `json:"id"`  // of the comment or review, or of the check run that the button is on
	At  time.Time       `json:"at"`
	// Commit is what the review was given on; of a comment or a button, which the hub ties to no commit, the head of the pull
	// request when it was heard.
	Commit string `json:"commit,omitempty"`
	Words  string `json:"words"`
	// Delivery is the hub's id of the webhook that told of a button. What a button says is done once for each.
	Delivery string `json:"delivery,omitempty"`
}

// Where people say what they want.
const (
	ViaComment = "comment"
	ViaReview  = "review"
	ViaButton  = "button"
)

// Opened begins every journal.
type Opened struct {
	ID       ID                `json:"id"`
	Group    string            `json:"group"`
	Previous ID                `json:"previous,omitempty"` // the group's earlier incident
	Alert    Alert             `json:"alert"`
	Runbook  string            `json:"runbook"` // path at the frozen commit; "embedded:" before a runbook of the engine's own
	Why      string            `json:"why"`     // why this runbook, one sentence
	Commit   string            `json:"commit"`  // of the default branch, at which everything was frozen
	Plan     string            `json:"plan"`    // SHA-256 of the frozen plan directory, hex
	Versions map[string]string `json:"versions"`
	Problems []string          `json:"problems,omitempty"` // of runbooks that could not be used
	Inputs   json.RawMessage   `json:"inputs,omitempty"`   // the values of all inputs of the runbook, a JSON object by name
	Parent   *Parent           `json:"parent,omitempty"`   // the step that opened it, where that was no alert

	Rehearsal *Rehearsal `json:"rehearsal,omitempty"` // nil: it is none, and never will be
}

// PullOpened records the pull request, once it is known.
type PullOpened struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
}

// AlertUpdated records another notification of the same alert group.
type AlertUpdated struct {
	Alert Alert `json:"alert"`
}

// Acknowledged records that a person has taken notice by /ack.
type Acknowledged struct {
	Deed Deed `json:"deed"`
}

// GateOpened asks people. The page with these bytes is in the same commit.
type GateOpened struct {
	Step   string           `json:"step"`
	Round  int              `json:"round"`
	Page   string           `json:"page"`   // SHA-256 of the gate page, hex
	Rule   runbook.Approval `json:"rule"`   // who must agree
	Digest string           `json:"digest"` // of the step and everything upstream of it, hex
	// Authors are who wrote the step at the frozen commit, as the hub told it; nil where the plan does not say which lines
	// make it. They do not approve it unless the plan says so, and the rule asks for one more where some are unknown.
	Authors *runbook.Authorship `json:"authors,omitempty"`

	Elements []string         `json:"elements,omitempty"` // of a template: the keys of its elements, in the order of the page
	Because  []runbook.Demand `json:"because,omitempty"`  // what the calendar demands: a part of the rule
}

// GateApproved records the votes that opened a gate.
type GateApproved struct {
	Step  string          `json:"step"`
	Page  string          `json:"page"`
	Votes []approval.Vote `json:"votes"`
}

// GateRejected records that a person ended a gate.
type GateRejected struct {
	Step string        `json:"step"`
	Vote approval.Vote `json:"vote"`
}

// GateExpired records that a gate was not answered in time. It fails closed.
type GateExpired struct {
	Step  string `json:"step"`
	Abort bool   `json:"abort,omitempty"` // and the incident stops, as by /cancel: the rule of the gate says so
}

// StepStarted is the intent: it is on the remote branch before the effect. For a manual step and a choice it is the request,
// for a wait the durable timer, for a runbook the order to open its incident.
type StepStarted struct {
	Step     string       `json:"step"`
	Attempt  int          `json:"attempt"`
	Key      string       `json:"key"`
	Work     runbook.Kind `json:"work"`
	Risk     runbook.Risk `json:"risk"`
	Digest   string       `json:"digest"`              // of the step and everything upstream of it, hex
	Gate     string       `json:"gate,omitempty"`      // SHA-256 of the approved gate page
	Locks    []string     `json:"locks,omitempty"`     // that it takes: sorted, each once
	Deadline time.Time    `json:"deadline"`            // after which the runner has killed it, or nobody's answer counts; of a wait: when it is over
	WouldRun bool         `json:"would_run,omitempty"` // in a rehearsal: it is not run
	Workflow string       `json:"workflow,omitempty"`  // of a step that runs a workflow: blob id of its file
}

// StepEnded is the outcome of one attempt.
type StepEnded struct {
	Step       string             `json:"step"`
	Attempt    int                `json:"attempt"`
	Conclusion runbook.Conclusion `json:"conclusion"`
	Started    time.Time          `json:"started"`
	Ended      time.Time          `json:"ended"`
	Output     json.RawMessage    `json:"output,omitempty"`
	Evidence   string             `json:"evidence,omitempty"` // SHA-256 of evidence/.../log.txt, hex
	Cut        []runbook.Cut      `json:"cut,omitempty"`
	Facts      map[string]string  `json:"facts,omitempty"`
	Error      string             `json:"error,omitempty"`
	Deed       *Deed              `json:"deed,omitempty"`      // who said /done or /choose
	Spoke      []Barred           `json:"spoke,omitempty"`     // of a step that opened a runbook: on whose words that incident rests
	WouldRun   bool               `json:"would_run,omitempty"` // in a rehearsal: it was not run, and the log says what would have
}

// StepSkipped records that a step will not run: as the plan says, or because people said so.
type StepSkipped struct {
	Step  string          `json:"step"`
	Why   string          `json:"why"`
	Deed  *Deed           `json:"deed,omitempty"`  // of a person; nil: the plan says so
	Votes []approval.Vote `json:"votes,omitempty"` // of a step with a gate: the reviews that said so, which meet its rule
}

// StepBroken records that a step's values could not be worked out.
type StepBroken struct {
	Step    string `json:"step"`
	Problem string `json:"problem"`
}

// StepUnknown asks people whether an effect happened: it was intended, and its outcome is lost.
type StepUnknown struct {
	Step    string `json:"step"`
	Attempt int    `json:"attempt"`
}

// StepByHand records that a person did the step, or says that it happened.
type StepByHand struct {
	Step string `json:"step"`
	What string `json:"what"`
	Deed Deed   `json:"deed"`
	// Votes are, of a step whose gate was not passed, the reviews that confirm it and meet its rule. Whoever did it is not among them.
	Votes []approval.Vote `json:"votes,omitempty"`
}

// RetryAsked begins a new round of a step that had ended badly, or of the rehearsal of such a step.
type RetryAsked struct {
	Step  string `json:"step"`
	Round int    `json:"round"`
	For   string `json:"for,omitempty"` // the step that is to be tried again, whose rehearsal Step is: what it found out is old
	Deed  Deed   `json:"deed"`
}

// CancelAsked records that a person stopped the incident. During undo or finally it stops that stage.
type CancelAsked struct {
	Why    string        `json:"why"`
	Deed   Deed          `json:"deed"`
	During runbook.Stage `json:"during,omitempty"`
}

// UndoBegun records that nothing more of the main stage starts, and that what had succeeded is undone. What people are
// asked, and what time is waited for, is withdrawn by it.
type UndoBegun struct {
	Why  string `json:"why"`
	Deed *Deed  `json:"deed,omitempty"` // when it follows /cancel
}

// FinallyBegun records that the stages before are over, and how the incident will end. What people are asked, and what
// time is waited for, is withdrawn by it. A plan without finally steps has none.
type FinallyBegun struct {
	End End `json:"end"`
}

// Mitigated records that the problem is over, though not yet the incident.
type Mitigated struct {
	How  string `json:"how"`
	Deed *Deed  `json:"deed,omitempty"` // when a person said /resolve
}

// End is how an incident came to its end.
type End string

// The ends. Every incident is merged, whatever its end.
const (
	EndResolved  End = "resolved"
	EndCancelled End = "cancelled"
	EndUndone    End = "undone" // a step failed, and what had succeeded before was undone
)

// Ended is the last event. The report is in the same commit.
type Ended struct {
	End End `json:"end"`
}

// Kind implements Data.
func (Opened) Kind() string { return "opened" }

// Kind implements Data.
func (PullOpened) Kind() string { return "pull-opened" }

// Kind implements Data.
func (AlertUpdated) Kind() string { return "alert-updated" }

// Kind implements Data.
func (Acknowledged) Kind() string { return "acknowledged" }

// Kind implements Data.
func (GateOpened) Kind() string { return "gate-opened" }

// Kind implements Data.
func (GateApproved) Kind() string { return "gate-approved" }

// Kind implements Data.
func (GateRejected) Kind() string { return "gate-rejected" }

// Kind implements Data.
func (GateExpired) Kind() string { return "gate-expired" }

// Kind implements Data.
func (StepStarted) Kind() string { return "step-started" }

// Kind implements Data.
func (StepEnded) Kind() string { return "step-ended" }

// Kind implements Data.
func (StepSkipped) Kind() string { return "step-skipped" }

// Kind implements Data.
func (StepBroken) Kind() string { return "step-broken" }

// Kind implements Data.
func (StepUnknown) Kind() string { return "step-unknown" }

// Kind implements Data.
func (StepByHand) Kind() string { return "step-by-hand" }

// Kind implements Data.
func (RetryAsked) Kind() string { return "retry-asked" }

// Kind implements Data.
func (CancelAsked) Kind() string { return "cancel-asked" }

// Kind implements Data.
func (UndoBegun) Kind() string { return "undo-begun" }

// Kind implements Data.
func (FinallyBegun) Kind() string { return "finally-begun" }

// Kind implements Data.
func (Mitigated) Kind() string { return "mitigated" }

// Kind implements Data.
func (Ended) Kind() string { return "ended" }
