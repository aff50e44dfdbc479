package incident

import (
	"encoding/json"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// View is what people and the world did, as it was looked up for one decision.
type View struct {
	Pull      *Pull // nil while there is no pull request
	Reviews   []approval.Review
	Comments  []Comment
	Branch    Branch
	Strangers map[int64]int64               // by user id: the newest comment of theirs that was seen while they might not write
	Attempts  []Attempt                     // of this incident's steps, as the step queue knows them
	Locks     map[string]Holder             // that other incidents of the ledger hold, by name
	Queue     []Waiting                     // steps of other incidents that wait for locks
	Checks    map[string]bool               // external ids of the check runs that are published
	Alerts    []Alert                       // notifications of this group that arrived and are not recorded yet
	Children  map[string]Child              // by step: of those steps that wait for another incident
	Runs      map[string]Run                // by step: of those whose latest attempt has, or may have, dispatched a workflow
	Pins      map[string]runbook.Pin        // by step of the frozen plan: of the workflow that may be dispatched next; absent: the hub has not said
	Recall    *Recalled                     // why the parent does not want the incident to go on; nil: it does, or there is none
	Unread    string                        // why the engine cannot work out the frozen plan, now or later; empty as a rule
	Teams     map[string][]int64            // members of the teams that gates ask, by org/slug; empty: there is nobody, or no such team; absent: nobody has looked
	Logins    map[string]int64              // of all of them by login in lower case
	Authors   map[string]runbook.Authorship // who wrote a step of the frozen plan, where that was looked up
	People    map[string]approval.Person    // by login in lower case: who is named by /assign or has pressed a button, looked up just now
	Presses   []Press                       // of buttons, that arrived and may not be recorded yet
	Later     ID                            // the incident of the same alert group that followed this one, where somebody asks to reopen it
	Edits     []Edit                        // of the plan, that people ask for: open pull requests against the branch
	Results   map[Command]Result            // of /done with values: what they come to
}

// Result is what the values of a /done come to, held against the type that the step declares.
type Result struct {
	Output  json.RawMessage // of that type
	Problem string          // why they are not, as a part of a sentence; empty when they are
}

// Pull is the incident's pull request.
type Pull struct {
	Number    int
	URL       string
	Open      bool
	Merged    bool
	Head      string          // commit
	Branch    string          // that it is from
	Base      string          // the branch that it is to be merged into
	Fork      bool            // Branch is another repository's
	By        approval.Person // who opened it: number and login
	Title     string
	Body      string
	Labels    []string
	Assignees []string // logins
	Asked     []string // users (login) and teams (org/slug) whose review is requested
}

// Comment is a comment on the pull request.
type Comment struct {
	ID     int64
	By     approval.Person
	Own    bool // written by the engine's App
	Body   string
	Edited bool
	Seen   bool // it bears the engine's own mark of a comment that was heard; the same reaction of others is none
	At     time.Time
}

// Branch is the incident's branch, local commits included.
type Branch struct {
	Head    string         // of the local branch
	Commits map[string]int // the engine's own commits on the branch, each with the sequence number of its last event
	Pushed  int            // sequence number of the last event that is on the remote branch; 0 when the branch is not there
	Foreign *Foreign       // a commit on the remote branch that is not the engine's
	Gone    bool           // the remote branch was deleted, moved back or rewritten: it does not lead to what the engine left there
	Deleted bool           // it is not there any more
	Tip     string         // where the remote branch is; empty: it is not there
	Lost    string         // why a branch that is gone cannot be restored, after "Not thawed: "
}

// Foreign is the first commit of a branch that the engine did not write.
type Foreign struct {
	Commit string
	Why    string
	All    []string // it and every commit after it, oldest first; none where the branch does not begin with the engine's
}

// AttemptState is where an attempt stands in the step queue.
type AttemptState string

// The states of an attempt. A lost one was running when its engine died.
const (
	AttemptQueued  AttemptState = "queued"
	AttemptRunning AttemptState = "running"
	AttemptEnded   AttemptState = "ended"
	AttemptLost    AttemptState = "lost"
)

// Attempt is one attempt in the step queue.
type Attempt struct {
	Key     string
	Step    string
	Number  int
	State   AttemptState
	Outcome *runbook.Outcome // of an ended attempt
	Place   int64            // in the step queue, from 1: larger than that of what was queued before; 0: not known
}

// Spent reports whether no decision rests on an attempt any more: it is not under way, and the journal has how it ended.
func (s State) Spent(a Attempt) bool {
	st := s.Step(a.Step)
	switch {
	case a.underWay() || a.Number > max(st.Attempt, st.Repeats.Attempt):
		return false
	case st.Repeats.Running && a.Number == st.Repeats.Attempt:
		return false
	}
	return a.Number != st.Attempt || st.Phase != PhaseStarted && st.Phase != PhaseUnknown
}
