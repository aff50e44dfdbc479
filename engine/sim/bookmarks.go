package sim

import "maps"

// bookmarksPort keeps bookmarks beside the inbox: what destroys it destroys them.
type bookmarksPort struct{ p *process }

func (b bookmarksPort) Mark(branch, commit string) error {
	if b.p.dead {
		return errDead
	}
	if b.p.machine.store.marks[branch] = commit; commit == "" {
		delete(b.p.machine.store.marks, branch)
	}
	return nil
}

func (b bookmarksPort) Marks() (map[string]string, error) {
	if b.p.dead {
		return nil, errDead
	}
	return maps.Clone(b.p.machine.store.marks), nil
}
