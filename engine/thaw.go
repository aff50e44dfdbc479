package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// sift parts the engine's own commits of a branch from what it is frozen for. Commits of others that the engine's next
// commit disowns are passed over.
func sift(b Branch) (own []BranchCommit, foreign *incident.Foreign) {
	var others []BranchCommit
	for _, c := range b.Commits {
		switch {
		case c.Foreign == "" && len(others) == 0:
			own = append(own, c)
		case c.Foreign == "" && slices.Equal(journal.Disowned(c.Files), names(others)):
			own, others = append(own, c), nil
		default: // also what the engine has signed, and what follows foreign commits without naming them
			others = append(others, c)
		}
	}
	if len(others) == 0 {
		return own, b.Foreign
	}
	return own, &incident.Foreign{Commit: others[0].ID, Why: others[0].Foreign, All: names(others)}
}

func names(commits []BranchCommit) []string {
	out := make([]string, len(commits))
	for i, c := range commits {
		out[i] = c.ID
	}
	return out
}

// readBranch reads an incident as the remote has it. Where the branch does not lead to what the engine left there, the
// incident is what the engine left, and its branch is gone.
func (e *Engine) readBranch(ctx context.Context, w *worker, heads map[string]string) error {
	q := BranchQuery{Name: w.branch, DefaultTip: heads[e.DefaultBranch]}
	at, left := heads[w.branch], e.bookmarks()[w.branch]
	var found Branch
	if at != "" {
		var err error
		if found, err = e.Ledger.Branch(ctx, q); err != nil {
			return fmt.Errorf("read %s: %w", w.branch, err)
		}
		if own, _ := sift(found); left == "" || slices.Contains(names(own), left) {
			return e.taken(w, found, left)
		}
	}
	if err := e.checkNew(ctx, w.branch, q.DefaultTip); err != nil || left == "" {
		return cmp.Or(err, fmt.Errorf("%s: %w", w.branch, errNoIncident))
	}
	var err error
	if q.At, err = e.latest(ctx, w, q, left); err != nil {
		return err
	}
	before, err := e.Ledger.Branch(ctx, q)
	lost := errors.Is(err, ErrLost)
	switch {
	case lost && at == "":
		e.Log.Error("a branch was deleted, and the hub does not have what the engine left there", "branch", w.branch, "commit", left)
		return fmt.Errorf("%s: %w", w.branch, errNoIncident)
	case lost:
		if err := w.take(found); err != nil {
			return err
		}
		w.ledger.lost = "what the engine left on the branch, commit " + left + ", is not on the hub any more, and nothing can restore it"
	case err != nil:
		return fmt.Errorf("read %s at %s: %w", w.branch, left, err)
	default:
		if err := w.take(before); err != nil {
			return err
		}
	}
	w.ledger.gone, w.ledger.deleted, w.ledger.remote, w.ledger.marked = true, at == "", at, left
	return nil
}

// latest is the commit to restore a branch at: what the engine left, or of a branch that was deleted, and perhaps made anew, the last
// one of the engine's that the hub's pull request had, if that follows from it. Another engine may have gone on, or this one may have
// been killed before it set its bookmark; what others wrote after that changes nothing. A head that the hub does not have any
// more says nothing; one that cannot be read for a moment may be what is to be restored.
func (e *Engine) latest(ctx context.Context, w *worker, q BranchQuery, left string) (string, error) {
	if w.hub == nil || w.hub.Pull == nil || w.hub.Pull.Open || w.hub.Pull.Head == left {
		return left, nil
	}
	q.At = w.hub.Pull.Head
	last, err := e.Ledger.Branch(ctx, q)
	if errors.Is(err, ErrLost) {
		return left, nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s at %s: %w", w.branch, q.At, err)
	}
	if own, _ := sift(last); slices.Contains(names(own), left) {
		return own[len(own)-1].ID, nil
	}
	return left, nil
}

// taken makes notes of what the remote has, and moves the bookmark from where it was seen before that was read.
func (e *Engine) taken(w *worker, b Branch, left string) error {
	if err := w.take(b); err != nil {
		return err
	}
	w.ledger.marked = left
	err := e.mark(w, w.ledger.head)
	if err != nil {
		w.ledger = nil
	}
	return err
}

// bookmarks are where the engine left each branch.
func (e *Engine) bookmarks() map[string]string {
	if e.Bookmarks != nil {
		kept, err := e.Bookmarks.Marks()
		if err != nil {
			e.Log.Warn("the bookmarks cannot be read; what others did to branches meanwhile may go unnoticed", "error", err)
		}
		return kept
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.marks)
}

// mark remembers where the engine left a branch. It fails where another engine has left it elsewhere meanwhile: this one stood
// still, and what it knows is old. A bookmark that cannot be written is no reason to stop.
func (e *Engine) mark(w *worker, commit string) error {
	n := w.ledger
	if e.Bookmarks == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.marks[w.branch] = commit
		return nil
	}
	err := e.Bookmarks.Mark(w.branch, n.marked, commit)
	switch {
	case err == nil:
		n.marked = commit
	case errors.Is(err, ErrMoved):
		return fmt.Errorf("leave %s at %s: %w", w.branch, commit, err)
	default:
		e.Log.Warn("a bookmark cannot be set", "branch", w.branch, "error", err)
	}
	return nil
}

// unmark forgets where the engine left a branch that is over.
func (e *Engine) unmark(branch string) {
	if e.Bookmarks == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.marks, branch)
		return
	}
	if err := e.Bookmarks.Mark(branch, "", ""); err != nil {
		e.Log.Warn("a bookmark cannot be taken out", "branch", branch, "error", err)
	}
}

// place says where a commit goes that gives the branch back to the engine: behind the commits that it disowns, with the
// files of the engine's last one, or behind that one, wherever the branch is. It reports whether the commit does that: the branch
// is the engine's again once there is the commit, and not before.
func (n *notes) place(events []incident.Event, c *NewCommit) (thaws bool) {
	if _, thaws = events[0].Data.(incident.Thawed); !thaws {
		return false
	}
	switch {
	case !n.gone:
		c.Parent, c.Tree = n.remote, n.head
	case n.remote == "":
		c.Create = true
	default:
		c.Over = n.remote
	}
	return true
}
