package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"sync"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/intake"
	"github.com/pullbook/pullbook/engine/runbook"
)

// customs makes alerts of bodies in the formats that the ledger's pullbook.cue defines, at the tip of the default branch.
type customs struct {
	ledger ledgerPort
	branch string
	eval   *cueval.Evaluator
	log    *slog.Logger

	mu    sync.Mutex
	tip   string            // at which files were read
	files map[string][]byte // pullbook.cue and what it imports; never changed, only replaced
}

// Map makes one generic alert of a body. While the hub is away the format is what it last was.
func (c *customs) Map(ctx context.Context, name string, body []byte) ([]byte, error) {
	files, tip, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	const most = 16 // packages that import each other, one the next
	for range most {
		alert, err := c.eval.Alert(ctx, files, name, body)
		var wrong *cueval.IntakeError
		var source *cueval.SourceError
		switch {
		case errors.As(err, &wrong):
			return nil, &intake.MapError{Unknown: wrong.Unknown, Problem: wrong.Problem}
		case !errors.As(err, &source):
			return alert, err
		}
		more, missing := c.imports(ctx, files, tip, source.Problems)
		if missing != nil || more == nil {
			return nil, errors.Join(err, missing)
		}
		files = more
	}
	return nil, fmt.Errorf("map the body for %s: pullbook.cue imports more than %d packages one after the other", name, most)
}

// read returns pullbook.cue and its module at the tip of the default branch.
func (c *customs) read(ctx context.Context) (map[string][]byte, string, error) {
	heads, err := c.ledger.Heads(ctx)
	c.mu.Lock()
	files, tip := c.files, c.tip
	c.mu.Unlock()
	switch {
	case err != nil && files == nil:
		return nil, "", fmt.Errorf("read the custom formats: %w", err)
	case err != nil:
		c.log.Warn("the hub is away; a custom format is read as it last was", "error", err)
		return files, tip, nil
	case files != nil && heads[c.branch] == tip:
		return files, tip, nil
	}
	tip = heads[c.branch]
	tree, err := c.ledger.Files(ctx, tip, runbook.Organisation, "cue.mod/module.cue")
	if err != nil {
		return nil, "", fmt.Errorf("read the custom formats at %s: %w", tip, err)
	}
	files = map[string][]byte{}
	for name, f := range tree {
		files[name] = f.Data
	}
	c.keep(files, tip)
	return files, tip, nil
}

// imports returns the files with the packages that problems say are missing; nil if there are none in the ledger.
func (c *customs) imports(ctx context.Context, files map[string][]byte, tip string, problems []runbook.Problem) (map[string][]byte, error) {
	more := maps.Clone(files)
	for _, p := range problems {
		if p.Missing == "" {
			continue
		}
		tree, err := c.ledger.Files(ctx, tip, p.Missing)
		if err != nil {
			return nil, fmt.Errorf("read the package %s at %s: %w", p.Missing, tip, err)
		}
		for name, f := range tree {
			if path.Dir(name) == p.Missing && path.Ext(name) == ".cue" {
				more[name] = f.Data
			}
		}
	}
	if len(more) == len(files) {
		return nil, nil
	}
	c.keep(more, tip)
	return more, nil
}

func (c *customs) keep(files map[string][]byte, tip string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files, c.tip = files, tip
}
