// Package runbook holds the typed form of a runbook: the plan that an incident follows.
//
// Words:
//
//   - A Plan is the list of steps of one runbook in an order in which every step comes after the steps it needs.
//   - The skeleton of a step (name, kind, risk, needs, approval, timeout, retry) is known before anything runs and
//     never changes while the incident is open.
//   - The Resolution of a step is what it is at this moment, given the outputs so far: waiting, ready with the Work
//     that would run, to be skipped, or broken.
//   - A template is a step that is done for each element of a list; Expand puts the elements into a plan, as steps.
//   - Work is what a step does: for the kinds that wait for people or time a typed value, for all others the author's own
//     value as JSON, which only the runner of that kind reads.
//   - An Outcome is what a runner says afterwards.
//   - A gate page is the text that holds exactly what will run, so that approving it approves these bytes.
//
// Flow: cueval evaluates CUE and makes a Plan; incident decides on it; step performs Work and returns an Outcome;
// Gate.Page turns a ready step into the bytes that people approve.
//
// The package does no input or output, reads no clock, knows no CUE and no GitHub, and imports no other package of ours.
package runbook

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"time"
)

// Kind names what a step does. It is the name of the field that the author wrote.
type Kind string

// The kinds that the house speaks of by name. The schema has more, which only their runner knows.
const (
	KindExec    Kind = "exec"
	KindHTTP    Kind = "http"
	KindProbe   Kind = "probe" // mitigates the incident when it passes
	KindManual  Kind = "manual"
	KindWait    Kind = "wait"
	KindChoose  Kind = "choose"
	KindRunbook Kind = "runbook" // another runbook, as an incident of its own
	KindActions Kind = "actions" // a workflow of the hub, whose run goes on there
)

// NeedsRunner reports whether a runner performs steps of the kind. The others, the engine's own, wait for a person's word
// for a time or for another incident, which git alone keeps.
func (k Kind) NeedsRunner() bool { return !k.AsksPeople() && k != KindWait && k != KindRunbook }

// AsksPeople reports whether steps of the kind are done by a person.
func (k Kind) AsksPeople() bool { return k == KindManual || k == KindChoose }

// Risk says what a step may do to the world.
type Risk string

// The risks, from harmless to grave. Only a step of RiskRead may run without an intent on the remote branch.
const (
	RiskRead        Risk = "read"
	RiskChange      Risk = "change"
	RiskDestructive Risk = "destructive"
)

// Less reports whether a risk is more harmless than another one. What is no risk is less than every risk.
func (r Risk) Less(other Risk) bool {
	order := []Risk{RiskRead, RiskChange, RiskDestructive}
	return slices.Index(order, r) < slices.Index(order, other)
}

// OnFailure says what follows when a step has failed and no attempt is left.
type OnFailure string

// What may follow a failure: the incident halts until a person decides, goes on without the step, or undoes itself.
const (
	FailureHalts     OnFailure = "halt"
	FailureContinues OnFailure = "continue"
	FailureUndoes    OnFailure = "undo" // what had succeeded is undone, last in first out
)

// Stage says in which part of an incident a step runs.
type Stage string

// The stages. An undo step runs when the incident undoes what its step did; a finally step runs however it ends.
const (
	StageMain    Stage = ""
	StageUndo    Stage = "undo"
	StageFinally Stage = "finally"
)

// MostSteps is how many steps a runbook has, undo and finally steps included; the elements of templates come besides. About as
// many are loaded within the memory and the time that one evaluation has.
const MostSteps = 1_000

// Plan is a runbook that has been checked and ordered.
type Plan struct {
	Name     string `json:"name"`  // file name without .cue
	Title    string `json:"title"` // one line
	Doc      string `json:"doc,omitempty"`
	Why      string `json:"why,omitempty"`      // the reason for the runbook
	ByHand   string `json:"by_hand,omitempty"`  // how to do it by hand if the automation fails
	Severity string `json:"severity,omitempty"` // sev1 to sev4, empty when nobody says
	Steps    []Step `json:"steps"`              // every step after all steps it needs; ties in the author's order
	// Concurrency is how many steps may run at once; 0 means no bound. Steps that wait for people or for time do not count.
	Concurrency int    `json:"concurrency,omitempty"`
	Service     string `json:"service,omitempty"` // that the runbook is about
	// Sources are the files of the ledger that the plan was made of: the runbook, pullbook.cue, and what they import, sorted.
	Sources []string `json:"sources,omitempty"`
	// Owners are the users (login) and teams (org/slug) who answer for the runbook and for its service.
	Owners []string `json:"owners,omitempty"`
	// Affected are the services that depend on the service, directly or by way of others, sorted.
	Affected []string `json:"affected,omitempty"`
	// Inputs are the values of all inputs, a JSON object by name: those that were given and the defaults of the others.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// Calendar says when steps that change something need more than their own rule.
	Calendar Calendar `json:"calendar,omitzero"`
	// Command are the users (login) and teams (org/slug) that may command incidents of this plan by comments.
	Command []string `json:"command"`
	// BreakGlass says who may open a gate without the approvals; nil: nobody.
	BreakGlass *BreakGlass `json:"break_glass,omitempty"`
	// SelfApproval are the users (login) and teams (org/slug) that may approve steps although they wrote them.
	SelfApproval []string `json:"self_approval,omitempty"`

	// Thaw are the users and teams that may give a branch back to the engine which somebody else wrote to; none: those of Command.
	Thaw []string `json:"thaw,omitempty"`
	// Edit is who approves that the plan is changed while an incident follows it; nil: nobody, so it is not changed.
	Edit *Approval `json:"edit,omitempty"`
	// Edits is how often it was changed since it was frozen: each time that makes another plan of it.
	Edits int `json:"edits,omitempty"`
}

// Step is one unit of a plan.
type Step struct {
	Name       string        `json:"name"` // ^[a-z][a-z0-9_]*$
	Kind       Kind          `json:"kind"`
	Title      string        `json:"title"` // resolved as far as it is known; the name when the author gave none
	Doc        string        `json:"doc,omitempty"`
	Why        string        `json:"why,omitempty"`     // the reason for the step
	ByHand     string        `json:"by_hand,omitempty"` // how a person does it if the automation fails
	NoUndo     string        `json:"no_undo,omitempty"` // why nothing undoes it
	Risk       Risk          `json:"risk"`
	Reversible bool          `json:"reversible"`
	Idempotent bool          `json:"idempotent,omitempty"` // may be started again with the same key
	Needs      []string      `json:"needs,omitempty"`      // steps that must have ended first: `needs` and references, sorted
	Refers     []string      `json:"refers,omitempty"`     // the part of Needs whose outputs this step refers to, sorted
	Tells      []string      `json:"tells,omitempty"`      // the part of Needs that only its words for people refer to, sorted: it does not follow these
	JoinAny    bool          `json:"join_any,omitempty"`   // runs although all it needs was skipped
	Stage      Stage         `json:"stage,omitempty"`
	Rehearses  string        `json:"rehearses,omitempty"` // the step whose work this one finds out; its name is that with _rehearsal
	Undoes     string        `json:"undoes,omitempty"`    // the step that an undo step takes back; its name is that with _undo
	Timeout    time.Duration `json:"timeout"`             // of one attempt, nanoseconds; never zero
	Retry      Retry         `json:"retry,omitzero"`
	OnFailure  OnFailure     `json:"on_failure"`
	Approval   *Approval     `json:"approval,omitempty"` // nil: no gate
	HasOutput  bool          `json:"has_output,omitempty"`
	Every      time.Duration `json:"every,omitempty"`       // how long after its success it is due again, until the incident is mitigated; 0: once
	TakesLocks bool          `json:"takes_locks,omitempty"` // of the whole ledger; Resolution has their names, which may come from the alert
	Files      []File        `json:"files,omitempty"`       // of the ledger, pinned at the frozen commit
	Each       bool          `json:"each,omitempty"`        // a template: it stands for a step for each element of a list or struct
	Of         string        `json:"-"`                     // the template that this step is an element of; only Expand makes elements
	Key        string        `json:"-"`                     // of an element: what tells it from the others of its template
	Runbook    string        `json:"runbook,omitempty"`     // name of the runbook that a step of KindRunbook opens
	Workflow   *Workflow     `json:"workflow,omitempty"`    // that a step of KindActions runs
	Lines      []Lines       `json:"lines,omitempty"`       // of the runbook that make the step: who wrote them does not approve it
	CodeOwners []string      `json:"code_owners,omitempty"` // users and teams that own its files by CODEOWNERS, at the frozen commit
	Now        Resolution    `json:"-"`
}

// Lines is a range of lines of a file of the ledger, at the frozen commit.
type Lines struct {
	File string `json:"file"`
	From int    `json:"from"` // the first, counted from 1
	To   int    `json:"to"`   // the last
}

// File is a file of the ledger that a step uses, pinned to the bytes it had at the frozen commit.
type File struct {
	Path string `json:"path"` // relative to the ledger's root, slashes, clean
	Blob string `json:"blob"` // git object id, hex
	Exec bool   `json:"exec,omitempty"`
	Tree bool   `json:"tree,omitempty"` // it may also be a directory, which stands for all files below it; only until it is pinned
}

// Retry says how often and how soon a failed attempt is made again.
type Retry struct {
	Attempts int           `json:"attempts,omitempty"` // in all, the first included; 0 and 1 mean no retry
	Backoff  time.Duration `json:"backoff,omitempty"`  // before the second attempt
	Factor   float64       `json:"factor,omitempty"`   // each further pause is this much longer; 0 means 2
	Max      time.Duration `json:"max,omitempty"`      // longest pause; 0 means no bound
	Jitter   float64       `json:"jitter,omitempty"`   // from 0 to 1: this part of a pause is taken off by the attempt key
}

// Pause returns how long to wait after the failed attempt with the given number, counted from 1 in its round. The key of
// that attempt says how much of the pause the jitter takes off: the same key always gives the same pause, and attempts of
// different incidents that failed together do not come back together.
func (r Retry) Pause(failed int, key string) time.Duration {
	factor := r.Factor
	if factor < 1 {
		factor = 2
	}
	const longest = 24 * time.Hour
	pause := float64(r.Backoff)
	for range failed - 1 {
		if pause *= factor; pause > float64(longest) {
			pause = float64(longest)
			break
		}
	}
	if r.Max > 0 {
		pause = min(pause, float64(r.Max))
	}
	return time.Duration(pause * (1 - min(max(r.Jitter, 0), 1)*part(key)))
}

// part maps a key to a number from 0 up to 1, evenly.
func part(key string) float64 {
	sum := sha256.Sum256([]byte(key))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// Status says what a step is at this moment, seen from the outputs so far. Whether it already ran is the journal's matter.
type Status string

// The statuses of a resolution.
const (
	StatusWaiting Status = "waiting" // a step it needs has not ended
	StatusReady   Status = "ready"   // all values are known: Work may run
	StatusSkip    Status = "skip"    // its `when` is false, or it only follows skipped steps
	StatusBroken  Status = "broken"  // its values cannot be worked out although all it needs has ended
	StatusOver    Status = "over"    // it has ended, and what it would run is not worked out again
)

// Resolution is what a step is at this moment.
type Resolution struct {
	Status  Status   `json:"status"`
	Problem string   `json:"problem,omitempty"` // of a broken step: place, problem, hint; of a skipped one: why
	Work    Work     `json:"work,omitzero"`     // of a ready step
	Locks   []string `json:"locks,omitempty"`   // that a ready step takes together before it starts: sorted, each once, at most MaxLocks

	Elements []Element `json:"elements,omitempty"` // of a ready template, which has no Work of its own; in order, each with another key
}

// Work is what a step does. Exactly one member is set: one of the engine's own kinds, or Run.
type Work struct {
	Manual  *Manual `json:"manual,omitempty"`
	Wait    *Wait   `json:"wait,omitempty"`
	Choose  *Choose `json:"choose,omitempty"`
	Runbook *Child  `json:"runbook,omitempty"`
	// Run is what the author wrote in the field of the kind, with every value known: a JSON object as schema/runbook.cue has
	// it, without what is decided later, with sorted names and no spaces.
	Run json.RawMessage `json:"run,omitempty"`
}

// Manual asks a person to do something and to say /done.
type Manual struct {
	Task  string `json:"task"`
	Owner string `json:"owner,omitempty"` // login or org/slug
}

// Wait lets time pass: for a length of time, until a moment, or until a window opens. Exactly one member is set.
type Wait struct {
	For    time.Duration `json:"for,omitempty"`
	Until  time.Time     `json:"until,omitzero"`
	Window *Window       `json:"window,omitempty"`
}

// Window is a part of the week. It is open from From to To on each of Days, in UTC; To before From reaches into the next day.
type Window struct {
	Days []time.Weekday `json:"days"` // sorted; never empty
	From time.Duration  `json:"from"` // since midnight
	To   time.Duration  `json:"to"`
}

// Choose lets a person pick one of several options by /choose <step> <option>. Its output is {choice: <name>}.
type Choose struct {
	Question string   `json:"question"`
	Options  []Option `json:"options"`         // at least two, in the author's order; names are unique
	Owner    string   `json:"owner,omitempty"` // login or org/slug
}

// Option is one thing to choose.
type Option struct {
	Name  string `json:"name"` // ^[a-z0-9][a-z0-9_.-]*$
	Title string `json:"title,omitempty"`
}

// Conclusion is how an attempt ended.
type Conclusion string

// The conclusions. Unknown means that nobody can tell whether the effect happened.
const (
	Succeeded Conclusion = "succeeded"
	Failed    Conclusion = "failed"
	TimedOut  Conclusion = "timed_out"
	Cancelled Conclusion = "cancelled"
	Unknown   Conclusion = "unknown"
)

// Outcome is what a runner says about one attempt. It crosses the inbox as JSON.
type Outcome struct {
	Key        string            `json:"key"` // the attempt key it belongs to
	Step       string            `json:"step"`
	Attempt    int               `json:"attempt"`
	Conclusion Conclusion        `json:"conclusion"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended"`
	Output     []byte            `json:"output,omitempty"` // JSON of the step's declared output type, checked and projected
	Log        string            `json:"log,omitempty"`    // redacted, bounded, valid UTF-8
	Cut        []Cut             `json:"cut,omitempty"`
	Facts      map[string]string `json:"facts,omitempty"` // exit status, the executable's digest, HTTP status, ...
	Error      string            `json:"error,omitempty"` // one sentence when it did not succeed
	Run        *WorkflowRun      `json:"run,omitempty"`   // set: what was started goes on there, and how it ends is still to come
}

// Cut names bytes that were too many to keep, by digest.
type Cut struct {
	Name   string `json:"name"` // stdout, stderr, body
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex, of the whole before anything was cut or redacted
}

// Step returns the step with the given name.
func (p Plan) Step(name string) (Step, bool) {
	for i := range p.Steps {
		if p.Steps[i].Name == name {
			return p.Steps[i], true
		}
	}
	return Step{}, false
}

// Rehearsal returns the step that rehearses the named one.
func (p Plan) Rehearsal(name string) (Step, bool) {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Rehearses == name })
	if i < 0 || name == "" {
		return Step{}, false
	}
	return p.Steps[i], true
}

// In yields the steps of one stage, in order.
func (p Plan) In(stage Stage) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for i := range p.Steps {
			if p.Steps[i].Stage == stage && !yield(p.Steps[i]) {
				return
			}
		}
	}
}

// Repeatable reports whether a second start of the step does no harm.
func (s Step) Repeatable() bool { return s.Risk == RiskRead || s.Idempotent }

// Over reports whether a step has ended for good, so that what it would run is asked of nobody any more. It is still asked of
// a step that people answer, that opens another incident, that stands for elements or that is repeated.
func (s Step) Over(ended map[string]Ended) bool {
	end, ok := ended[s.Name]
	if !ok || s.Each || s.Every > 0 || s.Kind.AsksPeople() || s.Kind == KindRunbook {
		return false
	}
	return end.Skipped || end.Conclusion == Succeeded || end.Conclusion == Failed || end.Conclusion == TimedOut
}

// AttemptKey names one attempt of one step of one incident. It is the idempotency key that effects carry.
func AttemptKey(incident, step string, attempt int) string {
	return incident + "/" + step + "/" + strconv.Itoa(attempt)
}
