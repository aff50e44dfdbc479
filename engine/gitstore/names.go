package gitstore

import (
	"context"
	"fmt"
)

// Names gives the names of the directories that stand levels below prefix, for
// example with prefix "incidents" and 4 levels those of
// incidents/2026/11/22/<name>. Nothing in or below them is read, so the cost
// follows the directories above them: one request a level, cached by id.
func (s *Store) Names(ctx context.Context, commit Hash, prefix string, levels int) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	v := &view{store: s, commit: commit, got: map[Hash]object{}}
	root, err := v.treeOf(ctx)
	if err != nil {
		return nil, err
	}
	top, ok, err := locate(ctx, v, root, prefix)
	if err != nil || !ok || top.mode != ModeTree {
		return nil, err
	}
	level := []placed{{path: prefix, id: top.id}}
	for range levels {
		if level, err = children(ctx, v, level); err != nil {
			return nil, fmt.Errorf("commit %s: names below %q: %w", commit, prefix, err)
		}
	}
	names := make([]string, len(level))
	for i, dir := range level {
		names[i] = dir.path
	}
	return names, nil
}

// children gives the directories directly in those of one level. Their path is
// their name alone.
func children(ctx context.Context, src source, level []placed) ([]placed, error) {
	if err := src.load(ctx, ids(level), alone); err != nil {
		return nil, err
	}
	var out []placed
	for _, dir := range level {
		entries, err := getTree(src, dir.id)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.mode == ModeTree {
				out = append(out, placed{path: e.name, id: e.id})
			}
		}
	}
	if len(out) > maxEntries {
		return nil, fmt.Errorf("more than %d entries: %w", maxEntries, errTooLarge)
	}
	return out, nil
}
