package proposal

import (
	"errors"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Pull is an open pull request to the default branch, or to an incident's.
type Pull struct {
	Number int
	Head   string // commit
	Branch string // its name, in the fork if it is one
	Fork   bool   // the branch is not the ledger's own
	Base   string // the incident's branch that it is against; empty: the default branch
}

// Incident reports whether a pull request is one of the engine's: such a one has its own check. A fork may call its branches
// what it likes.
func (p Pull) Incident() bool { return !p.Fork && strings.HasPrefix(p.Branch, incident.BranchPrefix) }

// Writers are who wrote the commits of a pull request.
type Writers struct {
	Head     string // its commit when that was asked
	Base     string // the branch that it was against: its commits are those that this one does not have
	Authors  []runbook.Author
	Unmapped string // a commit that is by somebody who is no account of the hub's; empty: there is none
}

// ErrTooLarge says that a proposal changes more files than anybody lists.
var ErrTooLarge = errors.New("the pull request changes more files than the hub lists")

// ErrOddName says that a proposal has a file that no ledger can hold.
var ErrOddName = errors.New("a CUE file has a name that a ledger cannot hold")

// Checked is the external id of a check that is done: of the head, by what checks are now.
const Checked = "vet/2"

// Check is a check run on the head of a proposal. It is completed.
type Check struct {
	Pull        Pull
	Conclusion  string // success or failure, or action_required of an edit that waits for people
	Title       string
	Summary     string // markdown
	Annotations []Annotation
}

// Annotation is a remark on a line of a file.
type Annotation struct {
	Path        string
	Line        int // from 1
	Title, Text string
}

// MostAnnotations bounds the remarks of one check: the hub takes fifty in one request, and each request is one of the writes
// that incidents need too. The summary says that there are more.
const MostAnnotations = 200

// Findings are what vetting a scope gave.
type Findings struct {
	History  []runbook.Problem // changes of what incidents recorded; sorted by place
	Problems []runbook.Problem // sorted by place
	Remarks  []runbook.Problem // what fails nothing, such as how a file is formatted; sorted by place
	Runbooks int               // that were vetted
}
