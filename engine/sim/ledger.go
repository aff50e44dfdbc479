package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// ledgerPort lets the engine read the remote.
type ledgerPort struct{ p *process }

func (l ledgerPort) Heads(context.Context) (heads map[string]string, err error) {
	err = l.p.call("ledger.heads", func() error {
		heads = maps.Clone(l.p.w.remote.heads)
		return nil
	})
	return heads, err
}

func (l ledgerPort) Files(_ context.Context, commit string, paths ...string) (files map[string]engine.File, err error) {
	err = l.p.call("ledger.files", func() (err error) {
		files, err = l.p.w.remote.files(commit, paths)
		return err
	})
	return files, err
}

func (l ledgerPort) Incidents(_ context.Context, commit string) (ids []incident.ID, err error) {
	err = l.p.call("ledger.incidents", func() error {
		reach := l.p.w.remote.merged[commit]
		if reach == nil {
			return fmt.Errorf("%s is no tip of the default branch", commit)
		}
		ids = slices.Clone(l.p.w.remote.names[:l.p.w.remote.upTo[commit]])
		return nil
	})
	return ids, err
}

func (l ledgerPort) Branch(_ context.Context, q engine.BranchQuery) (b engine.Branch, err error) {
	err = l.p.call("ledger.branch", func() (err error) {
		b, err = l.p.w.remote.branch(q)
		return err
	})
	return b, err
}

func (l ledgerPort) Branches(_ context.Context, q engine.BranchesQuery, found func(string, engine.Branch)) error {
	all := map[string]engine.Branch{}
	err := l.p.call("ledger.branches", func() error {
		for name, commit := range q.At {
			b, err := l.p.w.remote.branch(engine.BranchQuery{Name: name, DefaultTip: q.DefaultTip, At: commit})
			foreign := slices.ContainsFunc(b.Commits, func(c engine.BranchCommit) bool { return c.Foreign != "" })
			if err == nil && !foreign && len(b.Commits) > 0 {
				all[name] = b
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		found(name, all[name])
	}
	return nil
}

// pending are the commits of one branch that the remote does not have, as gitstore keeps them.
type pending struct {
	old     string // where the remote must be; empty: the branch must not exist
	commits []*commit
	sent    bool // in a push whose reply was lost
}

func (n *pending) tip() string { return n.commits[len(n.commits)-1].id }

// journalPort lets the engine write branches. It answers as gitstore does.
type journalPort struct{ p *process }

func (j journalPort) Append(_ context.Context, c engine.NewCommit) (id string, err error) {
	err = j.p.call("journal.append."+lastKind(c.Files), func() error {
		n := j.p.pending[c.Branch]
		if n != nil && (n.tip() != c.Parent || c.Create) {
			return fmt.Errorf("append to %s: %w", c.Branch, engine.ErrMoved)
		}
		made := (&commit{parent: c.Parent, tree: c.Tree, files: maps.Clone(c.Files), message: c.Message, by: signedByEngine, at: c.At}).named()
		if n == nil {
			n = &pending{old: c.Parent}
			if c.Create {
				n.old = ""
			}
			if c.Over != "" {
				n.old = c.Over
			}
			j.p.pending[c.Branch] = n
		}
		n.commits = append(n.commits, made)
		id = made.id
		return nil
	})
	return id, err
}

// lastKind is the kind of the last event that a commit adds: what becomes durable by it.
func lastKind(files map[string][]byte) Point {
	last := slices.Max(append(slices.Collect(maps.Keys(files)), ""))
	for path := range files {
		if strings.Contains(path, "/journal/") && (!strings.Contains(last, "/journal/") || path > last) {
			last = path
		}
	}
	_, kind, _ := strings.Cut(strings.TrimSuffix(last[strings.LastIndexByte(last, '/')+1:], ".json"), "-")
	return Point(kind)
}

func (j journalPort) Discard(branch string) {
	if !j.p.dead {
		delete(j.p.pending, branch)
	}
}

// Flush confirms, pushes, and where no reply came looks where the branch is.
func (j journalPort) Flush(ctx context.Context, branch string, confirm func(context.Context) error) error {
	p := j.p
	if p.pending[branch] == nil || p.dead {
		return nil
	}
	delete(p.looked, branch) // what an intent rests on is asked anew
	p.w.editing.forget(p, branch)
	if err := confirm(ctx); err != nil {
		return err
	}
	replied := false
	p.w.current.branch = branch
	err := p.call("journal.flush."+lastKind(p.pending[branch].commits[len(p.pending[branch].commits)-1].files), func() error {
		n := p.pending[branch]
		if n == nil {
			return fmt.Errorf("push %s: the commits were discarded", branch)
		}
		if err := p.w.push(p, branch, n); err != nil {
			replied = true
			return err
		}
		n.sent = true
		return nil
	})
	if err != nil && !replied && !p.dead && p.w.remote.heads[branch] == p.tipOf(branch) && oneIn(p.w.dice.trouble, 2) {
		err = nil // the push arrived and its reply did not, and this time the look at the reference is answered
	}
	if err == nil && !p.dead {
		delete(p.pending, branch)
	}
	return err
}

func (p *process) tipOf(branch string) string {
	if n := p.pending[branch]; n != nil {
		return n.tip()
	}
	return ""
}

// push is a push of the engine's, with everything that follows from it on the hub.
func (w *World) push(p *process, branch string, n *pending) error {
	head := w.remote.heads[branch]
	if n.sent && head == n.tip() {
		return nil
	}
	if err := w.remote.push(branch, n.old, n.commits); err != nil {
		w.tell(p.name, "push %s: stale", branch)
		return fmt.Errorf("push %s: %w: %w", branch, engine.ErrMoved, err)
	}
	w.tell(p.name, "push %s %s: %s", branch, short(n.tip()), subjects(n.commits))
	w.forge.moved(branch, n.tip())
	w.chronicle.pushed(p, branch, n)
	return nil
}

func subjects(commits []*commit) string {
	var out []string
	for _, c := range commits {
		subject, _, _ := strings.Cut(c.message, "\n")
		out = append(out, subject)
	}
	return strings.Join(out, "; ")
}

func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}
