package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/runbook"
)

// runnerPort performs attempts: some simulated time passes, and somewhere in it the effect happens.
type runnerPort struct{ p *process }

// fate is how an attempt goes.
type fate struct {
	before, after time.Duration // of the effect; the attempt takes both
	conclusion    runbook.Conclusion
	output        string
	log           string
}

func (w *World) drawFate() fate {
	r := w.dice.fate
	longest := pick(r, 100*time.Millisecond, 2*time.Second, 40*time.Second)
	if w.calm {
		longest = time.Second
	}
	f := fate{before: between(r, 0, longest), after: between(r, 0, longest), conclusion: runbook.Succeeded,
		output: fmt.Sprintf(`{"hosts":%s,"n":%d}`, pick(r, `[]`, `["h1"]`, `["h1","h2"]`, `["h1","h2","h3"]`), r.IntN(4)), log: fmt.Sprintf("line %d\n", r.IntN(100))}
	if w.calm {
		return f
	}
	switch r.IntN(20) {
	case 0, 1, 2:
		f.conclusion = runbook.Failed
	case 3:
		f.conclusion = runbook.TimedOut
	case 4:
		f.conclusion = runbook.Unknown
	case 5:
		f.output = `{"hosts":[],"n":"not a number"}`
	}
	return f
}

// Run performs one attempt.
func (r runnerPort) Run(ctx context.Context, a engine.Attempt) runbook.Outcome {
	p, w := r.p, r.p.w
	t := w.current
	f := w.drawFate()
	if s, is := w.trouble.(staged); is {
		f = s.fate(a, f)
	}
	o := runbook.Outcome{Key: a.Key, Step: a.Step, Attempt: a.Attempt, Conclusion: runbook.Cancelled, Started: p.clock(), Error: "it was stopped"}
	err := p.call(Point("runner.begin."+a.Kind), func() error { return nil })
	t.free = true
	if err != nil || !t.sleep(f.before) || ctx.Err() != nil {
		o.Ended = p.clock()
		return o
	}
	if err := p.call(Point("runner.effect."+a.Kind), func() error {
		w.effect(p, a)
		return nil
	}); err != nil || !t.sleep(w.shortened(f.after)) {
		return o
	}
	o.Ended = p.clock()
	if ctx.Err() != nil && f.conclusion == runbook.Succeeded {
		return o // it was stopped when the effect had happened
	}
	o.Conclusion, o.Log, o.Error = f.conclusion, f.log, ""
	switch f.conclusion {
	case runbook.Succeeded:
		o.Output = []byte(f.output)
		if a.Kind == runbook.KindProbe {
			if _, err := a.Until(ctx, []byte(`{"status":200}`)); err != nil {
				o.Conclusion, o.Error = runbook.Failed, "the condition cannot be decided"
			}
		}
	default:
		o.Error = "it went wrong by itself"
	}
	return o
}

// shortened is how long the rest of an attempt takes: in the calm nothing takes long any more.
func (w *World) shortened(d time.Duration) time.Duration {
	if w.calm {
		return min(d, time.Second)
	}
	return d
}

// effect is what an attempt does to the world.
func (w *World) effect(p *process, a engine.Attempt) {
	w.tell(p.name, "EFFECT %s", a.Key)
	w.fresh.effects = append(w.fresh.effects, effect{process: p, job: a.StepJob})
}
