package sim

import (
	"context"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// deskPort shows the engine what people propose. It answers as package github does.
type deskPort struct{ p *process }

// unknown is who made a commit that the hub knows no account of.
const unknown = "nobody"

func (d deskPort) Proposals(context.Context) (out []proposal.Pull, err error) {
	err = d.p.reads("hub.look.proposals", 1, func() error {
		for _, p := range d.p.w.forge.pulls {
			if p.open {
				head := d.p.w.forge.seen(p).Head
				out = append(out, proposal.Pull{Number: p.number, Head: head, Branch: p.branch, Fork: p.fork, Base: p.base})
			}
		}
		return nil
	})
	return out, err
}

func (d deskPort) Changes(_ context.Context, of proposal.Pull) (out []proposal.Change, err error) {
	err = d.p.reads("hub.look.changes", 1, func() error {
		p, err := d.p.w.forge.pull(of.Number)
		if err == nil && p.head != of.Head {
			err = errHeadMoved
		}
		if err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(d.p.w.forge.changes(p))) {
			out = append(out, proposal.Change{Path: path})
		}
		return nil
	})
	return out, err
}

func (d deskPort) Writers(_ context.Context, number int) (who proposal.Writers, err error) {
	err = d.p.reads("hub.look.writers", 2, func() error {
		p, err := d.p.w.forge.pull(number)
		if err != nil {
			return err
		}
		who = proposal.Writers{Head: p.head, Base: p.base}
		for _, c := range d.p.w.forge.own(p) {
			if c.by == unknown || c.by == signedByEngine {
				who.Unmapped = "commit " + short(c.id)
				continue
			}
			who.Authors = append(who.Authors, runbook.Author{ID: d.p.w.forge.person(c.by).ID, Login: c.by, By: "commit " + short(c.id)})
		}
		return nil
	})
	return who, err
}

func (d deskPort) Vetted(_ context.Context, commit string) (done bool, err error) {
	err = d.p.reads("hub.look.vetted", 1, func() error {
		c, there := d.p.w.forge.latest(incident.RollupName, commit)
		done = there && c.ExternalID == proposal.Checked
		return nil
	})
	return done, err
}

func (d deskPort) Report(ctx context.Context, r proposal.Check) error {
	return d.p.writes(ctx, "hub.publish.report", github.Ordinary, func() error {
		w := d.p.w
		w.tell(d.p.name, "check of pull request %d on %s: %s %q", r.Pull.Number, short(r.Pull.Head), r.Conclusion, r.Title)
		w.fresh.out(r.Title + r.Summary)
		if r.Conclusion == "success" && r.Pull.Base != "" && !w.chronicle.took(r.Pull.Number, r.Pull.Head) {
			w.fail("I10", "the check of pull request %d shows success, and no journal has its edit", r.Pull.Number)
		}
		return w.forge.addCheck(incident.CheckRun{Name: incident.RollupName, Commit: r.Pull.Head, ExternalID: proposal.Checked, Status: "completed",
			Conclusion: r.Conclusion, Title: r.Title, Summary: r.Summary})
	})
}

// askedFor is the branch of the pull request that a look is at.
func (f *forge) askedFor(q incident.HubQuery) string {
	if p, err := f.pull(q.Pull); q.Branch == "" && err == nil {
		return p.branch
	}
	return q.Branch
}

// propose opens a pull request of a person's against an incident's branch. Who may not write has the branch in a fork.
func (f *forge) propose(by *person, branch, base string, made *commit) *pull {
	p := &pull{number: len(f.pulls) + 1, branch: branch, base: base, by: by, fork: !by.Write, title: made.message, open: true, made: f.w.now}
	f.pulls = append(f.pulls, p)
	f.push(p, made)
	return p
}

// push puts a commit on the branch of a person's pull request.
func (f *forge) push(p *pull, made *commit) {
	f.w.remote.keep(made)
	if !p.fork {
		f.w.remote.heads[p.branch] = made.id
	}
	if p.head == "" {
		p.head = made.id
	}
	f.moved(p.branch, made.id)
}

// unbased looks after pull requests against a branch that is deleted: where that was merged they are against the default branch
// from then on, else they are closed.
func (f *forge) unbased(branch string) {
	for _, p := range f.pulls {
		if p.base != branch || !p.open {
			continue
		}
		if of := f.of(branch); of != nil && of.merged {
			p.base = ""
		} else {
			p.open = false
		}
	}
}

// own are the commits of a person's pull request that its base does not have, the newest first.
func (f *forge) own(p *pull) (out []*commit) {
	base := f.reach(p.base)
	for id := p.head; id != "" && !base[id]; id = f.w.remote.commits[id].parent {
		out = append(out, f.w.remote.commits[id])
	}
	return out
}

// changes are the files of a person's pull request that its base does not have so.
func (f *forge) changes(p *pull) map[string][]byte {
	out := map[string][]byte{}
	base := f.reach(p.base)
	for id := p.head; id != "" && !base[id]; id = f.w.remote.commits[id].before() {
		for path, data := range f.w.remote.commits[id].files {
			if _, newer := out[path]; !newer {
				out[path] = data
			}
		}
	}
	return out
}

// reach is every commit that a branch has; empty means the default branch.
func (f *forge) reach(branch string) map[string]bool {
	if branch == "" {
		return f.w.remote.merged[f.w.remote.heads[mainBranch]]
	}
	out := map[string]bool{}
	for id := f.w.remote.heads[branch]; id != ""; id = f.w.remote.commits[id].parent {
		out[id] = true
	}
	return out
}
