package audit

import (
	"errors"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// follows checks that the earlier incident that an opening names is one of the same alert group, and earlier: it is merged
// by now, or its branch is there. Without this a second incident of a group could run beside an open one under the name
// that follows from an incident that never was.
func (t *trail) follows(opening gitstore.Commit) *Finding {
	o := t.state.Opened
	if o.Previous == "" {
		return nil
	}
	if _, err := incident.ParseID(string(o.Previous)); err != nil {
		return wrong(opening.Hash, "", "it names an earlier incident: %v", err)
	}
	before, found, err := t.a.openingOf(o.Previous)
	switch {
	case err != nil:
		return unreadable(opening.Hash, err)
	case !found:
		return wrong(opening.Hash, "", "it follows incident %s, which the clone holds neither merged nor on a branch", o.Previous)
	}
	earlier, ok := before.Data.(incident.Opened)
	switch {
	case !ok || earlier.ID != o.Previous || earlier.Group != o.Group:
		return wrong(opening.Hash, "", "it follows incident %s, which is not of the same alert group", o.Previous)
	case !before.At.Before(t.state.OpenedAt):
		return wrong(opening.Hash, "", "it follows incident %s, which was not opened before it", o.Previous)
	}
	return nil
}

// openingOf reads the first event of an incident from the tip of the default branch, or else from the incident's branch.
func (a *auditor) openingOf(id incident.ID) (e incident.Event, found bool, err error) {
	refs, err := a.clone.Refs()
	if err != nil {
		return e, false, err
	}
	trees := []gitstore.Hash{a.line[len(a.line)-1].Tree}
	for ref, tip := range refs {
		if slot, ok := slotOf(ref); ok && slot == id.Slot() {
			c, err := a.clone.Commit(tip)
			if err != nil {
				return e, false, err
			}
			trees = append(trees, c.Tree)
		}
	}
	path := journal.Path(id.Dir(), 1, incident.Opened{}.Kind())
	for _, tree := range trees {
		files, err := a.clone.Files(tree, path)
		if errors.Is(err, gitstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return e, false, err
		}
		file, ok := files[path]
		if !ok {
			continue
		}
		events, _, err := journal.Decode(id.Dir(), map[string][]byte{path: file.Data})
		if err != nil || len(events) != 1 {
			return e, true, nil // it was verified, or not, in its own place
		}
		return events[0], true, nil
	}
	return e, false, nil
}
