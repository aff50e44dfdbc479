package sim

import (
	"maps"

	"github.com/pullbook/pullbook/engine"
)

// bookmarksPort keeps bookmarks beside the inbox: what destroys it destroys them.
type bookmarksPort struct{ p *process }

func (b bookmarksPort) Mark(branch, from, to string) error {
	marks := b.p.machine.store.marks
	switch {
	case b.p.dead:
		return errDead
	case to == "":
		delete(marks, branch)
	case marks[branch] != from:
		return engine.ErrMoved
	default:
		marks[branch] = to
	}
	return nil
}

func (b bookmarksPort) Marks() (map[string]string, error) {
	if b.p.dead {
		return nil, errDead
	}
	return maps.Clone(b.p.machine.store.marks), nil
}
