package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// hubPort lets the engine use the forge. It answers as package github does.
type hubPort struct{ p *process }

// testimony is what one look at the hub showed: what an intent that is pushed afterwards rests on.
type testimony struct {
	at      time.Time
	reviews []approval.Review
	pull    *incident.Pull
}

// mostLooks bounds how often the hub is asked for one message. What has changed meanwhile makes a look begin anew, and not without end.
const mostLooks = 30

func (h hubPort) Look(_ context.Context, q incident.HubQuery) (view incident.HubView, err error) {
	if t := h.p.w.current; t != nil && q.Branch != "" {
		if t.looks++; t.looks > mostLooks {
			h.p.w.fail("I8", "%s asks the hub %d times for one message", t.name, t.looks)
		}
	}
	err = h.p.reads("hub.look", 3+min(1, len(q.CheckCommits)), func() (err error) {
		view, err = h.p.w.forge.look(q)
		if err == nil {
			h.p.looked[h.p.w.forge.askedFor(q)] = &testimony{at: h.p.w.now, reviews: view.Reviews, pull: view.Pull}
		}
		return err
	})
	return view, err
}

// look is what a reader sees: new pull requests and heads may take a moment to show.
func (f *forge) look(q incident.HubQuery) (incident.HubView, error) {
	var view incident.HubView
	p := f.of(q.Branch)
	if q.Pull != 0 {
		found, err := f.pull(q.Pull)
		if err == nil && found.branch != q.Branch && (found.by == nil || q.Branch != "") {
			return view, fmt.Errorf("pull request %d is not one of %s", q.Pull, q.Branch)
		}
		p = found
	}
	if p != nil && !f.w.now.Before(p.hiddenUntil) {
		view.Pull = f.seen(p)
		for _, r := range p.reviews {
			view.Reviews = append(view.Reviews, approval.Review{ID: r.id, By: r.by.as(q.Teams), State: r.state, Commit: r.commit,
				Body: r.body, Edited: r.edited, At: r.at})
		}
		for _, c := range p.comments {
			out := incident.Comment{ID: c.id, Own: c.by == nil, Body: c.body, Edited: c.edited, At: c.at, Seen: c.heard}
			if c.by != nil {
				out.By = c.by.as(q.Teams)
			}
			view.Comments = append(view.Comments, out)
		}
		view.People = map[string]approval.Person{}
		for _, who := range f.people {
			view.People[who.Login] = who.as(q.Teams)
		}
	}
	if len(q.CheckCommits) > 0 {
		view.Checks = map[string]bool{}
		for _, c := range f.checks {
			if slices.Contains(q.CheckCommits, c.Commit) && c.ExternalID != "" {
				view.Checks[c.ExternalID] = true
			}
		}
	}
	return view, nil
}

func (f *forge) seen(p *pull) *incident.Pull {
	head := p.head
	if f.w.now.Before(p.staleUntil) {
		head = p.stale
	}
	out := &incident.Pull{Number: p.number, URL: fmt.Sprintf("https://hub.test/acme/ops/pull/%d", p.number), Open: p.open, Merged: p.merged,
		Head: head, Title: p.title, Body: p.body, Labels: p.labels, Assignees: p.assignees, Asked: slices.Sorted(maps.Keys(p.requested))}
	if p.by != nil {
		out.Branch, out.Base, out.Fork, out.By = p.branch, p.base, p.fork, p.by.Person
	}
	return out
}

// Blame names one person, who wrote every runbook and answers for nothing else.
func (h hubPort) Blame(_ context.Context, commit string, files []string) (out []runbook.Blame, err error) {
	err = h.p.reads("hub.blame", 1, func() error {
		for _, file := range files {
			out = append(out, runbook.Blame{Lines: runbook.Lines{File: file, From: 1, To: 1 << 20},
				Authors: []runbook.Author{{ID: 1 << 40, Login: "writer", By: "commit " + commit[:min(7, len(commit))]}}})
		}
		return nil
	})
	return out, err
}

func (h hubPort) OpenPull(ctx context.Context, n incident.NewPull) (out incident.Pull, err error) {
	err = h.p.writes(ctx, "hub.open-pull", github.Urgent, func() error {
		w := h.p.w
		w.fresh.out(n.Title + "\n" + n.Body)
		p, err := w.forge.openPull(n.Branch, n.Title, n.Body)
		if errors.Is(err, errInvalid) {
			if open := w.forge.of(n.Branch); open != nil && open.open && !w.now.Before(open.hiddenUntil) {
				p, err = open, nil
			}
		}
		if err != nil {
			return err
		}
		if !w.calm && oneIn(w.dice.trouble, 20) {
			p.hiddenUntil = w.now.Add(between(w.dice.trouble, 0, 5*time.Second))
		}
		w.tell(h.p.name, "open pull request %d of %s", p.number, p.branch)
		out = *w.forge.seen(p)
		return nil
	})
	return out, err
}

func (h hubPort) Publish(ctx context.Context, n incident.Publication) error {
	return h.p.writes(ctx, pointOf(n), urgencyOf(n), func() error { return h.p.publish(n) })
}

func pointOf(n incident.Publication) Point {
	switch {
	case n.Screen != nil:
		return "hub.publish.body"
	case n.Check != nil:
		what := "step."
		if n.Check.Name == incident.RollupName {
			what = "rollup."
		}
		return Point("hub.publish.check." + what + cmp.Or(n.Check.Conclusion, n.Check.Status))
	case len(n.Reviewers)+len(n.Unasked) > 0:
		return "hub.publish.reviewers"
	case n.Comment != nil:
		return "hub.publish.comment"
	case n.React != 0:
		return "hub.publish.react"
	case n.Reopen:
		return "hub.publish.reopen"
	case n.Close:
		return "hub.publish.close"
	}
	return "hub.delete-branch"
}

func (p *process) publish(n incident.Publication) error {
	w := p.w
	if n.Check != nil {
		w.tell(p.name, "check %s on %s: %s %s", n.Check.Name, short(n.Check.Commit), n.Check.Status, n.Check.Conclusion)
		w.fresh.out(n.Check.Title + n.Check.Summary + n.Check.Text)
		w.fresh.checks = append(w.fresh.checks, *n.Check)
		return w.forge.addCheck(*n.Check)
	}
	if n.Screen == nil && n.Comment == nil && n.React == 0 && !n.Reopen && !n.Close && n.DeleteBranch == "" && len(n.Reviewers)+len(n.Unasked) == 0 {
		return nil // a request for reviews that names nobody
	}
	if n.DeleteBranch != "" {
		w.tell(p.name, "delete %s", n.DeleteBranch)
		if err := w.forge.deleteBranch(n.DeleteBranch); !errors.Is(err, errInvalid) {
			return err
		}
		return nil // it is gone already
	}
	pr, err := w.forge.pull(n.Pull)
	if err != nil {
		return err
	}
	return p.publishOn(pr, n)
}

// publishOn changes a pull request.
func (p *process) publishOn(pr *pull, n incident.Publication) error {
	w := p.w
	switch {
	case n.Screen != nil:
		w.fresh.out(n.Screen.Title + "\n" + n.Screen.Body)
		pr.title, pr.body = n.Screen.Title, n.Screen.Body
		if n.Screen.Labels != nil {
			pr.labels = n.Screen.Labels
		}
		if n.Screen.Assignees != nil {
			pr.assignees = n.Screen.Assignees
		}
	case len(n.Reviewers) > 0:
		w.tell(p.name, "ask %v on pull request %d", n.Reviewers, n.Pull)
		for _, who := range n.Reviewers {
			pr.asked[who], pr.requested[who] = w.now, true
		}
	case len(n.Unasked) > 0:
		w.tell(p.name, "ask %v no more on pull request %d", n.Unasked, n.Pull)
		for _, who := range n.Unasked {
			delete(pr.requested, who)
		}
	case n.Comment != nil:
		w.tell(p.name, "comment on pull request %d: %q", n.Pull, *n.Comment)
		w.fresh.out(*n.Comment)
		w.forge.comment(pr, nil, *n.Comment)
	case n.React != 0:
		for _, c := range pr.comments {
			c.heard = c.heard || c.id == n.React
		}
	case n.Close:
		w.tell(p.name, "close pull request %d", n.Pull)
		return w.forge.setState(pr, false)
	case n.Reopen:
		return p.reopen(pr)
	}
	return nil
}

// reopen opens a pull request again. One that cannot be is not asked for for ever.
func (p *process) reopen(pr *pull) error {
	p.w.tell(p.name, "reopen pull request %d", pr.number)
	err := p.w.forge.setState(pr, true)
	if err != nil {
		pr.refused++
	}
	if pr.refused > inVain {
		p.w.fail("I8", "the hub is asked again and again to reopen pull request %d, which it cannot", pr.number)
	}
	return err
}

// Merge checks the head first: one that is merged already with that head is no error.
func (h hubPort) Merge(ctx context.Context, m incident.MergeRequest) error {
	return h.p.writes(ctx, "hub.merge", github.Urgent, func() error {
		w := h.p.w
		pr, err := w.forge.pull(m.Pull)
		if err != nil {
			return err
		}
		if pr.head != m.Head {
			return fmt.Errorf("merge pull request %d: %w", m.Pull, errHeadMoved)
		}
		if pr.merged {
			return nil
		}
		if err := w.forge.merge(pr, m.Head, m.Title, m.Message); err != nil {
			w.tell(h.p.name, "merge pull request %d: %v", m.Pull, err)
			return err
		}
		w.tell(h.p.name, "merge pull request %d at %s", m.Pull, short(m.Head))
		w.fresh.out(m.Title + m.Message)
		w.chronicle.merged(pr)
		return nil
	})
}
