package state

import (
	"crypto/rsa"
	"strings"
	"time"
)

// MaxText is the longest body of a pull request, review or comment, in characters. GitHub's documentation is silent;
// its answers say "body is too long (maximum is 65536 characters)".
const MaxText = 65536

// Account types as GitHub's "type" field spells them.
const (
	TypeUser         = "User"
	TypeBot          = "Bot"
	TypeOrganization = "Organization"
)

// A User is an account: a person, an App's bot or an organisation.
type User struct {
	ID      int64
	Login   string
	Name    string
	Email   string
	Type    string
	Admin   bool // site administrator
	Created time.Time
}

func (u User) same(other User) bool { return u.ID == other.ID }

// A Team belongs to an organisation. Members are logins.
type Team struct {
	ID          int64
	Org         string
	Slug        string
	Name        string
	Description string
	Members     []string
	Created     time.Time
}

// An App is a GitHub App: its key proves who it is, its permissions are the most that an installation may have.
type App struct {
	ID          int64
	Slug        string
	Name        string
	Description string
	Owner       User
	Bot         User
	Key         *rsa.PublicKey
	Permissions map[string]string
	Events      []string
	Hook        Hook
	Created     time.Time
}

// A Hook is where an App's webhooks go. An empty URL means that none are sent.
type Hook struct {
	ID     int64
	URL    string
	Secret string
}

// An Installation is an App put onto an account. A nil Repositories means all of the account's, later ones included.
type Installation struct {
	ID           int64
	App          App
	Account      User
	Repositories []int64
	Permissions  map[string]string
	Events       []string
	Created      time.Time
	Suspended    time.Time // zero: it is not
	SuspendedBy  User
}

// A Repo is one repository. Collaborators and Teams are the grants, by lower-case login and "org/slug".
type Repo struct {
	ID             int64
	Owner          User
	Name           string
	Description    string
	Private        bool
	DefaultBranch  string
	Collaborators  map[string]Role
	Teams          map[string]Role
	RequiredChecks []string
	Merging        Merging
	Homepage       string
	IncidentApp    string // slug of the only App that may touch incident/**; empty: no such rule
	Created        time.Time
	Pushed         time.Time
	Updated        time.Time
}

// FullName is "owner/name".
func (r Repo) FullName() string { return r.Owner.Login + "/" + r.Name }

// A Label of a repository.
type Label struct {
	ID          int64
	Name        string
	Color       string
	Description string
}

// A Pull is one pull request; head and base are branches of the same repository.
type Pull struct {
	ID          int64
	IssueID     int64
	Repo        Repo
	Number      int
	Title       string
	Body        string
	Author      User
	Association string
	State       string // "open" or "closed"
	Draft       bool
	Base, Head  Tip
	HeadGone    bool // the head branch was deleted
	Stats       Stats
	Labels      []Label
	Assignees   []User
	Reviewers   []User // whose review is asked for and not given yet
	ReviewTeams []Team
	Answered    []Team // whose requests a member has answered
	Comments    int
	Milestone   int64      // number; 0: none
	In          *Milestone `json:",omitempty"` // in copies: the milestone itself
	Reactions   []Reaction
	PushedBy    int64 // account that moved the head last; 0: unknown
	Merged      bool
	MergedBy    User
	MergeCommit string
	Created     time.Time
	Updated     time.Time
	Closed      time.Time
	MergedAt    time.Time
	Revision    int64

	repo int64 // the repository's id, for the row
}

// Open says whether the pull request can still be merged or closed.
func (p Pull) Open() bool { return p.State == "open" }

// A Tip is a branch and the commit that it was at.
type Tip struct {
	Ref string // branch name without refs/heads/
	SHA string
}

// Stats is the size of a pull request: commits and changed lines between merge base and head.
type Stats struct {
	Commits, Additions, Deletions, Files int
}

// Review states as REST spells them; webhooks use lower case.
const (
	ReviewApproved  = "APPROVED"
	ReviewChanges   = "CHANGES_REQUESTED"
	ReviewCommented = "COMMENTED"
	ReviewDismissed = "DISMISSED"
)

// A Review of a pull request at one commit.
type Review struct {
	ID          int64
	Pull        int
	User        User
	Association string
	Body        string
	State       string
	CommitID    string
	Submitted   time.Time
	Edited      time.Time // zero: never
}

// A Comment on a pull request's conversation.
type Comment struct {
	ID          int64
	Pull        int
	User        User
	Association string
	Body        string
	Created     time.Time
	Updated     time.Time
	Edited      bool
	Reactions   []Reaction
}

// A Reaction to a comment. Content is one of GitHub's eight words ("+1", "eyes", ...).
type Reaction struct {
	ID      int64
	User    User
	Content string
	Created time.Time
}

// A Suite gathers one App's check runs on one commit.
type Suite struct {
	ID      int64
	App     App
	HeadSHA string
	Head    PushedCommit // what HeadSHA is
	Branch  string
	Created time.Time
	Updated time.Time
	Again   bool // rerequested, and not run since
	Runs    int
	// Status and Conclusion follow from the runs; Conclusion is empty until all have completed.
	Status, Conclusion string
}

// A Run is a check run.
type Run struct {
	ID         int64
	Suite      int64
	App        App
	Name       string
	HeadSHA    string
	ExternalID string
	DetailsURL string
	Status     string
	Conclusion string
	Started    time.Time
	Completed  time.Time
	Output     Output
	Actions    []RunAction // buttons, shown once it is completed
}

// Output is what a check run shows. Title, Summary and Text are nil until given.
type Output struct {
	Title, Summary, Text *string
	Annotations          []Annotation
}

// An Annotation is a check run's remark on a line, in the fields that REST uses.
type Annotation struct {
	Path        string `json:"path"`
	StartLine   int    `json:"start_line"`
	EndLine     int    `json:"end_line"`
	StartColumn *int   `json:"start_column,omitempty"`
	EndColumn   *int   `json:"end_column,omitempty"`
	Level       string `json:"annotation_level"`
	Message     string `json:"message"`
	Title       string `json:"title,omitempty"`
	RawDetails  string `json:"raw_details,omitempty"`
}

// A Status is a commit status.
type Status struct {
	ID          int64
	SHA         string
	State       string
	Context     string
	Description string
	TargetURL   string
	App         int64 // the App that said so; 0: a person did
	Creator     User
	Created     time.Time
	Head        PushedCommit // what SHA is
}

// A Push is one changed ref.
type Push struct {
	Ref           string // full name
	Before, After string // 40 zeros when the ref did not, or does not, exist
	Forced        bool
	Commits       []PushedCommit // oldest first, at most 20 as on GitHub
	HeadCommit    *PushedCommit
}

// ZeroID is how git and GitHub write "no commit".
const ZeroID = "0000000000000000000000000000000000000000"

// Created and Deleted say what happened to the ref itself.
func (p Push) Created() bool { return p.Before == ZeroID }

// Deleted says whether the ref is gone.
func (p Push) Deleted() bool { return p.After == ZeroID }

// Branch is the branch's name, or false when the ref is not a branch.
func (p Push) Branch() (string, bool) { return strings.CutPrefix(p.Ref, "refs/heads/") }

// A PushedCommit is a commit as a push event shows it.
type PushedCommit struct {
	SHA, Tree, Message       string
	Author, Committer        Ident
	Added, Removed, Modified []string
}

// An Ident is a git author or committer line.
type Ident struct {
	Name, Email string
	When        time.Time
}

// A Delivery is one webhook call and how it went.
type Delivery struct {
	ID           int64
	App          int64
	GUID         string
	Event        string
	Action       string
	Installation int64
	Repository   int64
	Delivered    time.Time
	Duration     time.Duration
	Redelivery   bool
	Status       string // "OK", or what went wrong
	Code         int    // 0 when no answer came
	URL          string
	Headers      map[string]string
	Payload      []byte
	ReplyHeaders map[string]string
	Reply        string // bounded
}
