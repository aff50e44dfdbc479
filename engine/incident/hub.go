package incident

import (
	"time"

	"github.com/pullbook/pullbook/engine/approval"
)

// HubQuery asks the hub what people did on one incident.
type HubQuery struct {
	Branch       string
	Pull         int      // number, 0 when it is not known
	Teams        []string // org/slug: whose membership matters for approvals and commands
	Asked        []string // those of Teams that open gates ask: who is in them is to be told, although nobody of them has spoken
	People       []string // logins of whom it matters what they may do, besides those who spoke and those whom /assign names
	CheckCommits []string // commits whose check runs are to be listed; asked once after a start, when nobody remembers them
}

// HubView is the hub's answer.
type HubView struct {
	Pull     *Pull
	Reviews  []approval.Review
	Comments []Comment
	Teams    map[string][]int64         // numeric ids of the members of each team, where that was looked up; none: it is empty, or not there
	Logins   map[string]int64           // of all of them by login in lower case
	Checks   map[string]bool            // external ids of the engine's check runs on CheckCommits
	People   map[string]approval.Person // by login in lower case: those of the query, and those whom a comment names in /assign
}

// NewPull is a pull request to open from an incident's branch to the default branch.
type NewPull struct {
	Branch, Title, Body string
}

// Publication is one thing that people see on the hub. Exactly one of the members after Pull is set.
type Publication struct {
	Pull         int
	Screen       *Screen   // replaces what people see of the pull request at a glance
	Check        *CheckRun // creates a check run
	Reviewers    []string  // asks users (login) and teams (org/slug) for a review; those who cannot be asked are left out
	Unasked      []string  // takes requests for a review back; those who are not asked are left out
	Comment      *string   // adds a comment
	React        int64     // marks a comment as heard
	Reopen       bool      // opens the pull request again
	Close        bool      // closes it without a merge
	DeleteBranch string    // deletes the branch after the merge; one that is gone is no error
}

// Screen is what people see of an incident at a glance: title, body, labels and assignees of its pull request. It says
// what the branch says, and nothing is ever read from it but what people added to the lists.
type Screen struct {
	Title, Body string
	Labels      []string // all of them, also those that people gave; nil: they stay as they are
	Assignees   []string // logins, likewise
}

// CheckRun is one check run.
type CheckRun struct {
	Name, Commit, ExternalID string
	Status                   string // in_progress or completed
	Conclusion               string // GitHub's word, when completed
	Title, Summary, Text     string // markdown within the hub's bounds
	Started, Completed       time.Time
	Buttons                  []Button // of a completed one
}

// MergeRequest merges a pull request with a merge commit, if Head is still its head.
type MergeRequest struct {
	Pull                 int
	Head, Title, Message string
}
