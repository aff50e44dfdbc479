package main

import (
	"strings"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// journalOf reads the events of the one incident at a commit. What cannot be read yet is empty.
func journalOf(clone *gitstore.Clone, commit string) []incident.Event {
	hash, err := gitstore.ParseHash(commit)
	if err != nil {
		return nil
	}
	c, err := clone.Commit(hash)
	if err != nil {
		return nil
	}
	files, err := clone.Files(c.Tree, "incidents")
	if err != nil {
		return nil
	}
	data, dir := map[string][]byte{}, ""
	for path, f := range files {
		data[path] = f.Data
		if d, ok := strings.CutSuffix(path, "/incident.json"); ok {
			dir = d
		}
	}
	events, _, err := journal.Decode(dir, data)
	if err != nil {
		return nil
	}
	return events
}
