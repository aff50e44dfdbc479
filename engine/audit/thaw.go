package audit

import (
	"cmp"
	"slices"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

// A branch may hold commits that are not the engine's, if the engine's next commit disowns exactly them, on the word of
// somebody who may: its files are then those of the engine's commit before them, and its one event.

// crooked is what is wrong with a commit that has not one parent.
func crooked(c gitstore.Commit) *Finding {
	return wrong(c.Hash, "",
		"an incident's branch is linear and starts at a commit of the default branch; this commit has %d parents", len(c.Parents))
}

// stranger takes note of a commit that is not the engine's.
func (t *trail) stranger(c gitstore.Commit, why *Finding) {
	if t.strange = append(t.strange, c.Hash.String()); t.why == nil {
		t.why = why
	}
}

// disowns checks that a commit of the engine's names the foreign commits before it, all of them and no other, and brings
// nothing else. What it holds besides was compared with the engine's commit before them.
func (t *trail) disowns(b *batch) *Finding {
	var d incident.Thawed
	at := slices.IndexFunc(b.events, func(e incident.Event) bool { return e.Data.Kind() == incident.Thawed{}.Kind() })
	if at >= 0 {
		d, _ = b.events[at].Data.(incident.Thawed)
	}
	switch {
	case t.why != nil && (at < 0 || len(b.events) != 1):
		return t.why
	case at >= 0 && len(b.events) != 1:
		return wrong(b.commit.Hash, "", "a commit that gives the branch back to the engine brings other events as well")
	case !slices.Equal(d.Disowned, t.strange):
		return wrong(b.commit.Hash, "", "the commits that it disowns are not those before it that are not the engine's")
	}
	t.strange, t.why = nil, nil
	return nil
}

// thawed checks on whose word the branch was given back.
func (t *trail) thawed(b *batch, d incident.Thawed) *Finding {
	by, who := d.Deed.By, incident.MayThaw(t.plan.Thaw, t.plan.Command)
	switch {
	case by.ID <= 0 || by.Bot || !by.Write || len(who) > 0 && !approval.Named(by, who):
		return wrong(b.commit.Hash, "", "review %d is by %q, who may not give the branch back to the engine", d.Deed.ID, by.Login)
	case !incident.SaysThaw(d.Deed.Words, d.Why):
		return wrong(b.commit.Hash, "", "review %d does not say /thaw with the reason that the event gives", d.Deed.ID)
	}
	seen := d.Restored
	if n := len(d.Disowned); n > 0 {
		seen = d.Disowned[n-1]
	}
	if seen = cmp.Or(d.Replaced, seen); d.On != seen {
		return wrong(b.commit.Hash, "", "review %d was given on %q, and the branch was at %q", d.Deed.ID, d.On, seen)
	}
	if last, own := t.commits[d.Restored]; d.Restored != "" && (!own || last != b.last) {
		return wrong(b.commit.Hash, "", "it restores %q, which is not the engine's commit before it", d.Restored)
	}
	return nil
}
