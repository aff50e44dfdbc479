package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// ErrMoved says that a branch on the remote is not where the engine believed it to be.
var ErrMoved = errors.New("the remote branch has moved")

// ErrPlan says that a frozen plan cannot be worked out by this engine, however often it tries.
var ErrPlan = errors.New("the frozen plan cannot be worked out")

// ErrLost says that the remote does not have a commit any more.
var ErrLost = errors.New("the remote does not have the commit")

// Hub is the forge. Every error is temporary as far as the engine is concerned: it looks again later.
type Hub interface {
	// Look reads what people did. A pull request that does not exist is no error: HubView.Pull is nil.
	Look(ctx context.Context, q incident.HubQuery) (incident.HubView, error)
	// OpenPull opens the pull request, or returns the one that is open for the branch.
	OpenPull(ctx context.Context, p incident.NewPull) (incident.Pull, error)
	// Publish shows one thing to people. It may be repeated after an error.
	Publish(ctx context.Context, p incident.Publication) error
	// Merge merges, and fails if the head has moved. A pull request that is merged already is no error.
	Merge(ctx context.Context, m incident.MergeRequest) error
	// Blame returns who wrote the lines of files at a commit. The commit is on the default branch: its answer stays.
	Blame(ctx context.Context, commit string, files []string) ([]runbook.Blame, error)
}

// Ledger reads the remote repository.
type Ledger interface {
	// Heads returns the tips of all branches, by name.
	Heads(ctx context.Context) (map[string]string, error)
	// Files returns the files below the given paths (files or directories) at a commit. What is not there is left out.
	Files(ctx context.Context, commit string, paths ...string) (map[string]File, error)
	// Incidents returns the names of all incidents whose directory is in the tree of a commit.
	Incidents(ctx context.Context, commit string) ([]incident.ID, error)
	// Branch reads an incident's branch from where it left the default branch. ErrLost: the hub does not have the commit
	// that was asked for.
	Branch(ctx context.Context, q BranchQuery) (Branch, error)
	// Branches reads many incidents' branches with few requests, and gives found each as soon as it is read. One that cannot be
	// read together with others is left out: Branch says why.
	Branches(ctx context.Context, q BranchesQuery, found func(name string, b Branch)) error
}

// Journal writes incidents' branches. Appended commits are local until they are flushed.
type Journal interface {
	// Append adds one signed commit to a branch and returns its id. With Create the branch must not exist on the remote
	// when it is flushed.
	Append(ctx context.Context, c NewCommit) (string, error)
	// Flush pushes the local commits of a branch by compare-and-swap. Confirm runs just before the push departs; its error
	// stops it. ErrMoved: the remote is elsewhere. After any error the local commits are still there.
	Flush(ctx context.Context, branch string, confirm func(context.Context) error) error
	// Discard forgets the local commits of a branch.
	Discard(branch string)
}

// File is a file of the ledger.
type File struct {
	Blob string // git object id, hex
	Exec bool
	Data []byte
}

// NewCommit is a commit to append.
type NewCommit struct {
	Branch, Parent string
	Create         bool
	Tree           string // commit whose files it changes; empty: the parent's
	Over           string // where the remote branch is, if that is neither the parent nor nowhere: it is moved from there
	Files          map[string][]byte
	Message        string
	At             time.Time
}

// BranchQuery asks for a branch.
type BranchQuery struct {
	Name       string
	DefaultTip string // of the default branch
	At         string // commit to read it at; empty: where it is
}

// BranchesQuery asks for many branches.
type BranchesQuery struct {
	DefaultTip string            // of the default branch
	At         map[string]string // where a listing had each, by name
}

// Branch is an incident's branch as the remote has it, oldest commit first.
type Branch struct {
	Head    string
	Commits []BranchCommit
	Foreign *incident.Foreign // set where the history cannot be followed: Commits is empty then
}

// BranchCommit is one commit of a branch.
type BranchCommit struct {
	ID      string
	Files   map[string][]byte // added or changed by it; of a foreign commit nothing counts
	Foreign string            // why it is not the engine's own; empty: it is
}

// Bookmarks remember where the engine left each branch, for itself and for whoever goes on with its inbox. They are a cache: where they are
// lost, what others did to a branch while no engine ran can go unnoticed.
type Bookmarks interface {
	// Mark moves the bookmark of a branch from one commit to another; empty: there is none. To forget it, it may be anywhere.
	// ErrMoved: it was elsewhere and stays there, since another engine had the inbox meanwhile.
	Mark(branch, from, to string) error
	// Marks returns the commits by branch.
	Marks() (map[string]string, error)
}

// Eval answers what a runbook says. It evaluates in a process of its own, with a deadline and a memory limit.
type Eval interface {
	// Route finds the runbook of an alert among files.
	Route(ctx context.Context, files map[string][]byte, alert json.RawMessage) (runbook.Route, error)
	// Load checks a runbook wholly and returns its static plan, or its problems.
	Load(ctx context.Context, src runbook.Source) (runbook.Plan, []runbook.Problem, error)
	// Resolve returns what each step is now. ErrPlan: this engine cannot.
	Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error)
	// Until decides a probe's condition on an answer.
	Until(ctx context.Context, q runbook.Query, step string, answer json.RawMessage) (bool, error)
	// Output checks what a step put out against its declared type and returns the declared part.
	Output(ctx context.Context, q runbook.Query, step string, output json.RawMessage) (json.RawMessage, error)
}

// Message is a wake-up.
type Message struct {
	Kind string
	Key  string
	Body json.RawMessage
	Due  time.Time // zero: now
}

// The kinds of messages.
const (
	KindAlert = "alert" // Key: the alert's group; Body: Arrival. A fact: delivered until it is recorded
	KindLook  = "look"  // Key: the branch. A step ended, or there is more to do
	KindHub   = "hub"   // Key: the branch. People may have done something, or a timer is due: read the hub anew
	KindPress = "press" // Key: the branch; Body: incident.Press. A fact: delivered until it is recorded or answered
	KindPull  = "pull"  // Key: "pull/" and the number. As KindHub, where only the number is known
	KindSweep = "sweep" // Key: "ledger". Look at every open incident
)

// Arrival is the body of a KindAlert message.
type Arrival struct {
	Alert   incident.Alert `json:"alert"`
	Runbook string         `json:"runbook,omitempty"` // set when a person chose it: path or name
	// Inputs are values for the runbook's inputs, a JSON object by name. A text also stands for what it says as JSON, where
	// the input is no text: "3" for 3.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// Asked says that the alert's source was asked what fires. What the open incident of the group knows already is no news then, although
	// it was said in other words.
	Asked bool `json:"asked,omitempty"`
	// Received is when it came, before it was made durable. Zero: not known.
	Received time.Time `json:"received,omitzero"`
}

// Inbox holds wake-ups and step jobs durably. Its methods return when what they were given survives a power cut.
type Inbox interface {
	// Put stores messages, all or none.
	Put(ctx context.Context, messages ...Message) error
	// StartStep queues an attempt. A second call with the same key does nothing, for ever.
	StartStep(ctx context.Context, s StepJob) error
	// StopStep cancels an attempt that is queued or running.
	StopStep(ctx context.Context, key string) error
	// Attempts returns the attempts of a branch that are not forgotten and were queued after a place, in that order. After 0
	// these are all.
	Attempts(ctx context.Context, branch string, after int64) ([]incident.Attempt, error)
	// Forget drops the attempts of a merged incident.
	Forget(ctx context.Context, branch string) error
}

// StepJob is one attempt in the step queue.
type StepJob struct {
	Branch     string          `json:"branch"`
	Key        string          `json:"key"`
	Incident   incident.ID     `json:"incident"`
	Step       string          `json:"step"`
	Attempt    int             `json:"attempt"`
	Kind       runbook.Kind    `json:"kind"`
	Work       json.RawMessage `json:"work"` // as runbook.Work.Run
	Timeout    time.Duration   `json:"timeout"`
	Repeatable bool            `json:"repeatable"`
	Workflow   string          `json:"workflow,omitempty"` // blob id of the file of the workflow that it runs
}

// Runner performs one attempt. Everything that goes wrong is part of the outcome.
type Runner interface {
	Run(ctx context.Context, a Attempt) runbook.Outcome
}

// Attempt is what a runner gets.
type Attempt struct {
	StepJob
	HasOutput bool
	Risk      runbook.Risk
	Alert     json.RawMessage
	Files     map[string]File // of the frozen commit, by path
	Pins      []runbook.File
	PullURL   string                                                          // of the incident's pull request; empty while there is none
	Rehearse  bool                                                            // find out what it would do, and do nothing
	Once      bool                                                            // of a rehearsal of the incident: what it would wait for was not done, so it asks once
	Rehearsal json.RawMessage                                                 // what the rehearsal of the step put out; nil when there was none
	Until     func(ctx context.Context, answer json.RawMessage) (bool, error) // decides a probe
}

// Clock tells the time.
type Clock interface{ Now() time.Time }
