package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Record is one incident as its journal tells it. It has been decoded and folded, not verified.
type Record struct {
	ID     incident.ID
	Merged bool // it lies on the default branch
	Plan   runbook.Plan
	Events []incident.Event
	State  incident.State
}

// Line is one line of a timeline.
type Line struct {
	Incident incident.ID `json:"incident"`
	At       time.Time   `json:"at"` // UTC
	Who      string      `json:"who"`
	What     string      `json:"what"`
}

// Log tells what happened in one incident or in all, in the order of time.
func Log(clone *gitstore.Clone, o Options) ([]Line, error) {
	records, err := Records(clone, o)
	if err != nil {
		return nil, err
	}
	lines := []Line{}
	for _, r := range records {
		for _, l := range render.Timeline(r.Events) {
			lines = append(lines, Line{Incident: r.ID, At: l.At, Who: l.Who, What: l.What})
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return lines, nil
}

// Numbers measures the incident.
func (r Record) Numbers() render.Numbers { return render.Measure(r.Plan, r.State, r.Events) }

// Records reads the incidents that the clone holds, merged and open, in the order of their opening. An incident that the
// options name and that is not there is an error.
func Records(clone *gitstore.Clone, o Options) ([]Record, error) {
	_, tip, err := DefaultBranch(clone)
	if err != nil {
		return nil, err
	}
	main, err := clone.Commit(tip)
	if err != nil {
		return nil, err
	}
	byID := map[incident.ID]Record{}
	if err := collect(clone, main.Tree, o, byID); err != nil {
		return nil, err
	}
	if err := collectOpen(clone, main.Tree, o, byID); err != nil {
		return nil, err
	}
	if o.Incident != "" && len(byID) == 0 {
		return nil, fmt.Errorf("read incident %s: the clone does not hold it", o.Incident)
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b Record) int {
		return cmp.Or(a.State.OpenedAt.Compare(b.State.OpenedAt), cmp.Compare(a.ID, b.ID))
	}), nil
}

// collectOpen reads the incidents of the branches. Of two copies of a branch the one with more events counts.
func collectOpen(clone *gitstore.Clone, main gitstore.Hash, o Options, into map[incident.ID]Record) error {
	refs, err := clone.Refs()
	if err != nil {
		return err
	}
	for ref, tip := range refs {
		if _, ok := slotOf(ref); !ok {
			continue
		}
		c, err := clone.Commit(tip)
		if err != nil {
			return fmt.Errorf("read %s: %w", ref, err)
		}
		changes, err := clone.Diff(main, c.Tree)
		if err != nil {
			return fmt.Errorf("read %s: %w", ref, err)
		}
		own := map[incident.ID]map[string]gitstore.Hash{}
		for _, change := range changes {
			if !change.New.Blob.IsZero() {
				sortIn(own, change.Path, change.New.Blob)
			}
		}
		for id, files := range own {
			if into[id].Merged || o.Incident != "" && o.Incident != id {
				continue
			}
			r, err := read(clone, id, files)
			if err != nil {
				return fmt.Errorf("%s: %w", ref, err)
			}
			if len(r.Events) > len(into[id].Events) {
				into[id] = r
			}
		}
	}
	return nil
}

// collect reads the incidents in the tree of the default branch.
func collect(clone *gitstore.Clone, tree gitstore.Hash, o Options, into map[incident.ID]Record) error {
	under := incidentsDir
	if o.Incident != "" {
		under = o.Incident.Dir()
	}
	entries, err := clone.Entries(tree, under)
	if err != nil && !errors.Is(err, gitstore.ErrNotFound) {
		return err
	}
	own := map[incident.ID]map[string]gitstore.Hash{}
	for file, entry := range entries {
		sortIn(own, file, entry.Blob)
	}
	for id, files := range own {
		r, err := read(clone, id, files)
		if err != nil {
			return err
		}
		r.Merged = true
		into[id] = r
	}
	return nil
}

// sortIn puts the files that tell what happened to the incident they belong to.
func sortIn(own map[incident.ID]map[string]gitstore.Hash, file string, blob gitstore.Hash) {
	parts := strings.SplitN(file, "/", 6) // incidents/2026/11/22/<id>/<rest>
	if len(parts) < 6 {
		return
	}
	id, err := incident.ParseID(parts[4])
	if err != nil || !strings.HasPrefix(file, id.Dir()+"/journal/") && file != journal.PlanPath(id.Dir()) {
		return
	}
	if own[id] == nil {
		own[id] = map[string]gitstore.Hash{}
	}
	own[id][file] = blob
}

// read decodes one incident out of its files.
func read(clone *gitstore.Clone, id incident.ID, blobs map[string]gitstore.Hash) (Record, error) {
	files := map[string][]byte{}
	for file, blob := range blobs {
		data, err := clone.Blob(blob)
		if err != nil {
			return Record{}, fmt.Errorf("read incident %s: %w", id, err)
		}
		files[file] = data
	}
	r := Record{ID: id}
	var err error
	if r.Events, _, err = journal.Decode(id.Dir(), files); err != nil {
		return Record{}, fmt.Errorf("read incident %s: %w", id, err)
	}
	if r.State, err = incident.Fold(r.Events); err != nil {
		return Record{}, fmt.Errorf("read incident %s: %w", id, err)
	}
	if err := json.Unmarshal(files[journal.PlanPath(id.Dir())], &r.Plan); err != nil {
		return Record{}, fmt.Errorf("read incident %s: its plan: %w", id, err)
	}
	return r, nil
}
