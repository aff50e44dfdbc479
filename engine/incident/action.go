package incident

import (
	"encoding/json"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Action is one effect as data. The package comment states the order in which actions come.
type Action interface{ action() }

// Commit writes events into one signed local commit.
type Commit struct {
	Events   []Data
	At       time.Time         // of the decision: the events have this date, from which deadlines that they hold were worked out
	Pages    map[string][]byte // gate pages by step
	Evidence []Evidence
	Report   bool // the caller renders the report into this commit

	Plan map[string][]byte // files of the plan directory that are changed, by path below it: of PlanEdited alone
}

// Evidence is what one attempt left behind.
type Evidence struct {
	Step    string
	Attempt int
	Log     string
	Output  []byte
}

// Flush pushes every local commit of the incident. The reviews are read again just before the push departs: if one of
// the gates in Confirm would not be approved any more, or one of Overrides not be overridden, nothing is pushed and the local
// commits are dropped.
type Flush struct {
	Confirm   []approval.Gate
	Overrides []Override
	Edit      *EditConfirm // likewise, of an edit of the plan; nil: there is none
	Before    time.Time    // the push must not depart at or after it: then the calendar demands something else; zero: no bound
	Why       string
}

// Start hands an attempt to the step queue. A second Start with the same key does nothing.
type Start struct {
	Step       string
	Attempt    int
	Key        string
	Kind       runbook.Kind
	Work       json.RawMessage // as runbook.Work.Run
	Timeout    time.Duration
	Repeatable bool
	Workflow   string // blob id of the file of the workflow that it runs
}

// Stop ends a queued or running attempt.
type Stop struct{ Key string }

// OpenPull opens the pull request of the branch.
type OpenPull struct{}

// ReopenPull opens the pull request again after a person closed it.
type ReopenPull struct{}

// PublishCheck publishes the completed check run of one attempt on the commit that records its end.
type PublishCheck struct {
	ExternalID string
	Step       string
	Seq        int
}

// PublishRollup publishes the check run `pullbook` on the head.
type PublishRollup struct {
	ExternalID string
	Status     RollupStatus
	Summary    string
}

// RollupStatus is what the check `pullbook` says of an incident.
type RollupStatus string

// The statuses of the rollup check.
const (
	RollupRunning RollupStatus = "running" // in progress on GitHub
	RollupWaiting RollupStatus = "waiting" // people are asked: action_required on GitHub
	RollupFailed  RollupStatus = "failed"  // halted or frozen
	RollupDone    RollupStatus = "done"    // success on GitHub: the incident has ended and may be merged
)

// PublishBody says that this is a good moment for the pull request's body to be fresh.
type PublishBody struct {
	Urgent bool // people are asked, or it is the end; otherwise the body may wait until several changes have come together
}

// RequestReview asks the people of a gate that can still help.
type RequestReview struct {
	Step string
	From []string // users (login) and teams (org/slug) whose approval would bring the gate nearer
}

// WithdrawReviews takes back the requests of people who cannot help any gate any more.
type WithdrawReviews struct {
	From []string // users (login) and teams (org/slug)
}

// Reply writes a comment. Key makes it happen once: it is found again in the comment.
type Reply struct {
	Key  string
	Text string
}

// React marks a comment as heard.
type React struct{ Comment int64 }

// WakeAt asks for another look.
type WakeAt struct {
	At  time.Time
	Why string
}

// AwaitLocks asks for another look when one of the locks that other incidents hold is free. It replaces what was asked for
// before; a look without it waits for none.
type AwaitLocks struct {
	Names []string  // of the locks
	Steps []Waiting // that wait for them
}

// Merge merges the pull request if its head is still the given commit.
type Merge struct {
	Head           string
	Title, Message string
}

// CleanUp forgets the incident: its branch is deleted, its attempts are dropped.
type CleanUp struct{}

func (Commit) action()          {}
func (Flush) action()           {}
func (Start) action()           {}
func (Stop) action()            {}
func (OpenPull) action()        {}
func (ReopenPull) action()      {}
func (PublishCheck) action()    {}
func (PublishRollup) action()   {}
func (PublishBody) action()     {}
func (RequestReview) action()   {}
func (WithdrawReviews) action() {}
func (Reply) action()           {}
func (React) action()           {}
func (WakeAt) action()          {}
func (AwaitLocks) action()      {}
func (Merge) action()           {}
func (CleanUp) action()         {}
