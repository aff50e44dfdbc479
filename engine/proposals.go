package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/render"
)

// KindProposals says that people's pull requests may need a check. Its key is always "proposals", so that one of them is vetted
// at a time whatever comes: incidents go first.
const KindProposals = "proposals"

// KindAgain says that somebody asked for the check of a commit once more. Its key is "again/" and the commit.
const KindAgain = "again"

// AgainKey is the key of a message of KindAgain.
func AgainKey(commit string) string { return againPrefix + commit }

const againPrefix = "again/"

// Proposals is how the engine sees people's pull requests. Every error is temporary, as of the Hub.
type Proposals interface {
	// Proposals lists the open pull requests to the default branch and to incidents' branches.
	Proposals(ctx context.Context) ([]proposal.Pull, error)
	// Changes lists what the head of one changes, and of no other head; or it returns proposal.ErrTooLarge.
	Changes(ctx context.Context, p proposal.Pull) ([]proposal.Change, error)
	// Writers returns who wrote the commits of one.
	Writers(ctx context.Context, number int) (proposal.Writers, error)
	// Vetted reports whether a commit has a finished check.
	Vetted(ctx context.Context, commit string) (bool, error)
	// Report publishes a check. It may be repeated after an error.
	Report(ctx context.Context, c proposal.Check) error
}

// Reviewing is what the engine needs to check people's pull requests.
type Reviewing struct {
	Hub     Proposals
	Checker Checker
	// List returns the paths of the files at or below a path at a commit, and whether each is executable.
	List func(ctx context.Context, commit, path string) (map[string]bool, error)
}

// vetProposals checks the head of each proposal that has no check yet. What was not done because of an error, a kill or a
// lost message is found again the same way: by looking at what is there.
func (e *Engine) vetProposals(ctx context.Context) error {
	if e.Reviewing.Hub == nil {
		return nil
	}
	pulls, err := e.Reviewing.Hub.Proposals(ctx)
	if err != nil {
		return fmt.Errorf("vet the proposals: %w", err)
	}
	if err := e.noteEdits(ctx, pulls); err != nil {
		return err
	}
	open := map[int]string{}
	var failed []error
	for _, p := range pulls {
		if p.Incident() || p.Base != "" || standsIn(p, pulls) {
			continue
		}
		open[p.Number] = p.Head
		if e.wasVetted(p) {
			continue
		}
		if err := e.vetUnvetted(ctx, p); err != nil {
			e.Log.Error("a pull request could not be vetted", "pull", p.Number, "head", p.Head, "error", err)
			failed = append(failed, fmt.Errorf("vet pull request %d: %w", p.Number, err))
			continue
		}
		e.mu.Lock()
		e.vetted[p.Number] = p.Head
		e.mu.Unlock()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.vetted, func(number int, head string) bool { return open[number] != head })
	return errors.Join(failed...)
}

// standsIn reports whether the head of a proposal is that of an incident. It gets no check: the hub would take it for the
// incident's own, which says that the incident has ended.
func standsIn(p proposal.Pull, pulls []proposal.Pull) bool {
	return slices.ContainsFunc(pulls, func(q proposal.Pull) bool { return q.Incident() && q.Head == p.Head })
}

func (e *Engine) wasVetted(p proposal.Pull) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.vetted[p.Number] == p.Head
}

// vetAgain checks the proposals with a head once more, whatever check that has: it may be older than what the default branch
// has become. A commit that is no head any more needs none.
func (e *Engine) vetAgain(ctx context.Context, key string) error {
	if e.Reviewing.Hub == nil {
		return nil
	}
	pulls, err := e.Reviewing.Hub.Proposals(ctx)
	if err != nil {
		return fmt.Errorf("vet %s once more: %w", key, err)
	}
	for _, p := range pulls {
		if p.Incident() || p.Base != "" || AgainKey(p.Head) != key || standsIn(p, pulls) { // what an edit comes to is said by its incident
			continue
		}
		if err := e.vetProposal(ctx, p); err != nil {
			return fmt.Errorf("vet pull request %d once more: %w", p.Number, err)
		}
	}
	return nil
}

// vetUnvetted checks a head that has no check yet.
func (e *Engine) vetUnvetted(ctx context.Context, p proposal.Pull) error {
	done, err := e.Reviewing.Hub.Vetted(ctx, p.Head)
	if err != nil || done {
		return err
	}
	return e.vetProposal(ctx, p)
}

// vetProposal checks one head as it would be merged: the default branch as it is now, with the files that the proposal changes.
func (e *Engine) vetProposal(ctx context.Context, p proposal.Pull) error {
	changes, err := e.Reviewing.Hub.Changes(ctx, p)
	if err == nil && slices.ContainsFunc(changes, proposal.Change.Odd) {
		err = proposal.ErrOddName
	}
	if errors.Is(err, proposal.ErrTooLarge) || errors.Is(err, proposal.ErrOddName) {
		return e.Reviewing.Hub.Report(ctx, render.Unvetted(p, err.Error()))
	}
	if err != nil {
		return err
	}
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger's branches: %w", err)
	}
	t := newMerged(e, heads[e.DefaultBranch], p.Head, changes)
	var scope proposal.Scope
	var found proposal.Findings
	// Runbooks can name any file that is not of the recorded history, and what steps are rehearsed with is looked into.
	if slices.ContainsFunc(changes, func(c proposal.Change) bool { return !c.Recorded() }) {
		texts, err := t.CUE(ctx, runbookDir, orgFile, moduleFile)
		if err != nil {
			return err
		}
		if scope = proposal.ScopeOf(changes, texts); !scope.Nothing() {
			if found, err = Vet(ctx, e.Reviewing.Checker, t, Vetting{Scope: scope}); err != nil {
				return err
			}
		}
	} else {
		scope = proposal.ScopeOf(changes, nil)
	}
	found.History = proposal.History(changes, "origin/"+e.DefaultBranch)
	e.Log.Info("pull request vetted", "pull", p.Number, "head", p.Head, "runbooks", found.Runbooks, "mistakes", len(found.Problems), "history", len(found.History))
	return e.Reviewing.Hub.Report(ctx, render.Proposal(p, scope, found))
}

// merged is the ledger as it would be if a proposal were merged now. Where the default branch has changed a file as well, the
// proposal's counts: the hub demands that a person settles that before the merge.
type merged struct {
	e         *Engine
	tip, head string
	changed   map[string]bool // by path: it is there at the head
}

func newMerged(e *Engine, tip, head string, changes []proposal.Change) merged {
	t := merged{e: e, tip: tip, head: head, changed: map[string]bool{}}
	for _, c := range changes {
		t.changed[c.Path] = !c.Gone
	}
	return t
}

func below(p, dir string) bool { return dir == "" || p == dir || strings.HasPrefix(p, dir+"/") }

// CUE returns the CUE files at or below the given paths.
func (t merged) CUE(ctx context.Context, paths ...string) (map[string][]byte, error) {
	old, err := t.e.Ledger.Files(ctx, t.tip, paths...)
	if err != nil {
		return nil, fmt.Errorf("read the default branch at %s: %w", t.tip, err)
	}
	out := cueFiles(old)
	maps.DeleteFunc(out, func(p string, _ []byte) bool { _, changed := t.changed[p]; return changed })
	var wanted []string
	for p, there := range t.changed {
		for _, dir := range paths {
			if there && strings.HasSuffix(p, ".cue") && below(p, dir) {
				wanted = append(wanted, p)
				break
			}
		}
	}
	if len(wanted) == 0 {
		return out, nil
	}
	now, err := t.e.Ledger.Files(ctx, t.head, wanted...)
	if err != nil {
		return nil, fmt.Errorf("read the pull request at %s: %w", t.head, err)
	}
	maps.Copy(out, cueFiles(now))
	return out, nil
}

// List returns the paths of the files at or below a path, and whether each is executable.
func (t merged) List(ctx context.Context, dir string) (map[string]bool, error) {
	out, err := t.e.Reviewing.List(ctx, t.tip, dir)
	if err != nil {
		return nil, fmt.Errorf("read the default branch at %s: %w", t.tip, err)
	}
	maps.DeleteFunc(out, func(p string, _ bool) bool { _, changed := t.changed[p]; return changed })
	for p, there := range t.changed {
		if !there || !below(p, dir) {
			continue
		}
		now, err := t.e.Reviewing.List(ctx, t.head, p)
		if err != nil {
			return nil, fmt.Errorf("read the pull request at %s: %w", t.head, err)
		}
		maps.Copy(out, now)
	}
	return out, nil
}

// Text returns what is in one file.
func (t merged) Text(ctx context.Context, path string) (text []byte, there bool, err error) {
	commit := t.tip
	if _, changed := t.changed[path]; changed {
		commit = t.head
	}
	found, err := t.e.Ledger.Files(ctx, commit, path)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", commit, err)
	}
	f, there := found[path]
	return f.Data, there, nil
}

var _ Tree = merged{}
