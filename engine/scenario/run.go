package scenario

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Config is what the cases of a file are run with.
type Config struct {
	Eval   Eval
	Source runbook.Source                            // the runbook and pullbook.cue, and the ledger's other files among Others
	Plan   runbook.Plan                              // as it was loaded from the source without inputs
	Alert  func(text []byte) (incident.Alert, error) // reads an alert as monitoring tools send it
}

// run is one case on its way.
type run struct {
	config   Config
	stage    *stage
	inputs   json.RawMessage
	incoming *incident.Alert
	head     bool // what stands before the first case is read
}

// Run plays one case of a file and returns it as it went: its statements with what came of them. The text is that of the
// case exactly if everything came as expected. An error means that the story cannot be played, and names the file and the
// line; the case is then as far as it went.
func (f File) Run(ctx context.Context, c Config, of Case) (Case, error) {
	r := &run{config: c, head: true, stage: &stage{eval: c.Eval, source: c.Source, ledger: c.Source.Others, known: c.Plan, now: beginning(), people: map[string]approval.Person{},
		wrote: map[string]runbook.Authorship{}, given: map[string]ending{}}}
	for _, l := range f.head {
		if l.role != statement {
			continue
		}
		if err := r.obey(ctx, l.text); err != nil {
			return of, f.wrong(l, err)
		}
	}
	r.head = false
	went := of
	went.lines = nil
	for _, b := range of.blocks() {
		if err := f.play(ctx, r, b); err != nil {
			return of, err
		}
		went.lines = append(went.lines, b.with(r.stage.take())...)
	}
	return went, nil
}

// play lets the statements of one block happen, and the core look.
func (f File) play(ctx context.Context, r *run, b block) error {
	if len(b.statements) == 0 {
		return nil
	}
	for _, l := range b.statements {
		if err := r.obey(ctx, l.text); err != nil {
			return f.wrong(l, err)
		}
	}
	if !r.stage.begun {
		return nil
	}
	if err := r.stage.look(ctx); err != nil {
		return f.wrong(b.statements[len(b.statements)-1], err)
	}
	return nil
}

func (f File) wrong(l line, err error) error {
	return fmt.Errorf("%s:%d: %.60q: %w", f.Name, l.at, l.text, err)
}
