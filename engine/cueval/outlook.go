package cueval

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Bounds of what is remembered, the incidents that were asked about last. What is not remembered is evaluated.
const (
	mostOutlooks = 48       // incidents
	mostOutlook  = 4 << 20  // bytes of one as JSON: a list of 5,000 elements fits
	allOutlooks  = 12 << 20 // bytes of all
)

// outlooks remember what evaluations told of later ones, by all that goes into one but the ends of steps. The zero value is empty.
type outlooks struct {
	mu  sync.Mutex
	all []*outlook // the one that was asked for last stands last
}

// outlook is what is known of one plan with one alert. It is replaced, never changed.
type outlook struct {
	key   subject
	plan  runbook.Plan
	ended map[string]runbook.Ended
	ahead *ahead // nil: nothing is foreseen of it yet
	size  int    // bytes of that and of ended
}

// outlookKey tells a question from all others that do not differ in the ends of steps alone; ok is false where nothing can be told of it.
func (q childRequest) outlookKey() (key subject, ok bool) {
	alert := sha256.Sum256(q.Query.Alert)
	return sha256.Sum256(append(alert[:], q.Book...)), len(q.Book) > 0
}

// find returns what was told last of those questions that differ in the fewest ends, or nil.
func (o *outlooks) find(key subject, ended map[string]runbook.Ended) *outlook {
	o.mu.Lock()
	defer o.mu.Unlock()
	nearest, fewest := -1, 0
	for i, x := range o.all {
		if x.key != key {
			continue
		}
		if n := x.differs(ended); nearest < 0 || n <= fewest {
			nearest, fewest = i, n
		}
	}
	if nearest < 0 {
		return nil
	}
	x := o.all[nearest]
	o.all = append(slices.Delete(o.all, nearest, nearest+1), x)
	return x
}

// differs counts the steps that have ended otherwise.
func (x *outlook) differs(ended map[string]runbook.Ended) (n int) {
	for name := range x.ended {
		if !x.same(name, ended) {
			n++
		}
	}
	for name := range ended {
		if _, had := x.ended[name]; !had {
			n++
		}
	}
	return n
}

// keep remembers an outlook in the place of those that it continues. Of one runbook with one alert there can be others: stories play it
// again and again, each with outputs of its own.
func (o *outlooks) keep(x *outlook) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = slices.DeleteFunc(o.all, func(old *outlook) bool {
		continued := old.key == x.key
		for name := range old.ended {
			continued = continued && old.same(name, x.ended)
		}
		return continued
	})
	o.all = append(o.all, x)
	size, first := 0, len(o.all)
	for first > 0 && len(o.all)-first < mostOutlooks && size+o.all[first-1].size <= allOutlooks {
		first--
		size += o.all[first].size
	}
	o.all = slices.Delete(o.all, 0, first)
}

// lack is what is not foreseen.
type lack int

const (
	lacksNothing lack = iota
	lacksWords        // for people, of steps or of the plan
	lacksSteps        // that are to be evaluated
)

// resolve says what each step is now if that is foreseen. Otherwise it lists the steps of which that much is known that they need no
// evaluation.
func (x *outlook) resolve(ended map[string]runbook.Ended) (plan runbook.Plan, spared []int, lacks lack) {
	if x == nil || x.ahead == nil {
		return runbook.Plan{}, nil, lacksSteps
	}
	plan = x.plan
	if !x.unchanged(x.ahead.Words, ended) {
		lacks = lacksWords
	}
	plan.Steps = slices.Clone(x.plan.Steps)
	for i := range plan.Steps {
		s, f := &plan.Steps[i], x.ahead.Steps[i]
		known := f.Known && x.unchanged(f.Rests, ended)
		if known {
			spared = append(spared, i)
		}
		if !x.unchanged(f.Texts, ended) {
			lacks = max(lacks, lacksWords)
		}
		r, early := before(*s, ended)
		switch {
		case s.Over(ended):
			s.Now = runbook.Resolution{Status: runbook.StatusOver}
		case early:
			s.Now = r
		case known:
			s.Now = *f.Now
		default:
			lacks = lacksSteps
		}
	}
	return plan, spared, lacks
}

// noOutput is equal to no output of any step: it is no JSON.
const noOutput = "?"

// once lists the steps that need no evaluation, and says what is lacking, when one more step ends with an output that is not known yet.
func (x *outlook) once(step string, ended map[string]runbook.Ended) (spared []int, lacks lack) {
	_, spared, lacks = x.resolve(withOutput(ended, step, json.RawMessage(noOutput)))
	return spared, lacks
}

// unchanged reports whether steps, by index, have ended as they had when that was evaluated, or not at all.
func (x *outlook) unchanged(steps []int, ended map[string]runbook.Ended) bool {
	return !slices.ContainsFunc(steps, func(i int) bool { return !x.same(x.plan.Steps[i].Name, ended) })
}

// same reports whether a step has ended as it had, or not at all.
func (x *outlook) same(name string, ended map[string]runbook.Ended) bool {
	was, had := x.ended[name]
	is, has := ended[name]
	return had == has && was.Conclusion == is.Conclusion && was.Skipped == is.Skipped && bytes.Equal(was.Output, is.Output) &&
		slices.Equal(was.Happened, is.Happened)
}

// after is the outlook with what a further evaluation told, in which the spared steps were left out. What it says of the steps stands in
// plan, where those that were left out get what was known of them.
func (x *outlook) after(plan *runbook.Plan, ended map[string]runbook.Ended, told *ahead, spared []int) *outlook {
	next := &outlook{key: x.key, ended: maps.Clone(ended)}
	for _, i := range spared {
		if s := &plan.Steps[i]; s.Now.Status == "" {
			s.Now = *x.ahead.Steps[i].Now
		}
	}
	if told == nil || len(told.Steps) != len(plan.Steps) {
		return next
	}
	for i := range told.Steps {
		f := &told.Steps[i]
		switch {
		case slices.Contains(spared, i):
			texts := f.Texts
			*f = x.ahead.Steps[i]
			f.Texts = texts
		case f.Known && f.Now == nil:
			now := plan.Steps[i].Now
			f.Now = &now
		}
	}
	next.plan, next.ahead = *plan, told
	next.plan.Steps = slices.Clone(plan.Steps)
	return next
}

// Resolve says what each step of the plan is now. It returns a *SourceError if the source makes no plan. What an earlier evaluation has
// told already is not evaluated again: the answer is the same.
func (e *Evaluator) Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error) {
	ask := e.question(opResolve, q, "", nil)
	key, ok := ask.outlookKey()
	x := e.outlooks.find(key, q.Ended)
	plan, spared, lacks := x.resolve(q.Ended)
	if lacks == lacksNothing {
		return plan, nil
	}
	ask.Ahead, ask.Spared = x != nil, spared
	if x != nil {
		ask.about = key
	}
	r, err := e.resolve(ctx, ask)
	if ask.without(ctx, err) {
		r, err = e.resolve(ctx, ask)
	}
	if err != nil {
		return runbook.Plan{}, fmt.Errorf("resolve %s: %w", q.Source.Runbook, err)
	}
	if ok {
		e.outlooks.learn(x, outlook{key: key, ended: q.Ended}, &r, ask.Spared)
	}
	return r.Plan, nil
}

// without makes the same question of a request that failed without what comes later: that may have been too much, or what the child had
// kept was. A child of its own answers it. It reports whether that is another question.
func (q *childRequest) without(ctx context.Context, err error) bool {
	if _, wrong := errors.AsType[*OutputError](err); err == nil || wrong || !q.Ahead && q.about == (subject{}) || ctx.Err() != nil {
		return false
	}
	q.Ahead, q.Spared, q.about = false, nil, subject{}
	return true
}

// resolve asks a child what the steps are.
func (e *Evaluator) resolve(ctx context.Context, ask childRequest) (childReply, error) {
	r, err := e.run(ctx, ask)
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return childReply{}, err
	}
	if ask.Known == nil {
		e.plans.keep(ask.Query.Source, r.Plan)
	}
	return r, r.join()
}

// join puts the resolutions of a reply into its plan.
func (r *childReply) join() error {
	if len(r.Now) != len(r.Plan.Steps) {
		return fmt.Errorf("%d steps, %d resolutions", len(r.Plan.Steps), len(r.Now))
	}
	for i := range r.Plan.Steps {
		r.Plan.Steps[i].Now = r.Now[i]
	}
	return nil
}

// learn keeps what a reply tells of later questions, and completes its plan with what was known of the spared steps. x is what was known
// before; nil: nobody had asked.
func (o *outlooks) learn(x *outlook, next outlook, r *childReply, spared []int) {
	if x == nil {
		r.Ahead = nil
	} else {
		next = *x.after(&r.Plan, next.ended, r.Ahead, spared)
	}
	if next.weigh(r.size); next.size > mostOutlook {
		next.ahead = nil
	}
	if next.ahead == nil {
		next.ended, next.plan, next.size = nil, runbook.Plan{}, 0
	}
	o.keep(&next)
}

// weigh says how much an outlook holds that was told in so many bytes: what was known before stands in none of them.
func (x *outlook) weigh(told int) {
	all, err := json.Marshal(x.ahead)
	if err != nil {
		x.ahead = nil // unreachable: it was read from JSON
	}
	x.size = told + len(all)
	for _, end := range x.ended {
		x.size += len(end.Output)
	}
}

// Output checks what a step put out against the type that the step declares, and returns the declared fields of it as
// JSON, at most 256 KiB. It returns an *OutputError for another type. What the steps are once that step has ended with it is worked out
// with it, where the runbook has been asked about before.
func (e *Evaluator) Output(ctx context.Context, q runbook.Query, step string, output json.RawMessage) (json.RawMessage, error) {
	ask := e.question(opOutput, q, step, output)
	key, ok := ask.outlookKey()
	x := e.outlooks.find(key, q.Ended)
	if x != nil {
		ask.about = key
	}
	if _, _, element := runbook.SplitName(step); ok && x != nil && !element && !q.Words {
		spared, lacks := x.once(step, q.Ended)
		ask.Ahead = lacks == lacksSteps || lacks == lacksWords && !e.stay // where children stay for anything, to ask again costs little
		ask.Spared = spared
	}
	r, err := e.output(ctx, ask)
	if ask.without(ctx, err) {
		r, err = e.output(ctx, ask)
	}
	if err != nil {
		return nil, fmt.Errorf("check the output of %s: %w", step, err)
	}
	if ask.Ahead && r.join() == nil && r.Ahead != nil {
		e.outlooks.learn(x, outlook{key: key, ended: withOutput(q.Ended, step, r.Output)}, &r, ask.Spared)
	}
	return r.Output, nil
}

func (e *Evaluator) output(ctx context.Context, ask childRequest) (childReply, error) {
	r, err := e.run(ctx, ask)
	if err == nil {
		err = r.err()
	}
	return r, err
}

// withOutput are the ends of steps once one of them has succeeded with an output.
func withOutput(ended map[string]runbook.Ended, step string, output json.RawMessage) map[string]runbook.Ended {
	out := maps.Clone(ended)
	if out == nil {
		out = map[string]runbook.Ended{}
	}
	out[step] = runbook.Ended{Conclusion: runbook.Succeeded, Output: output}
	return out
}

// outputAhead is output, and what the steps are once the step has ended with it. What cannot be worked out of that is left out: whoever
// asks for it is told why.
func (t *texts) outputAhead(q childRequest) (r childReply, err error) {
	t.lasting = t.lasting || q.Ahead // the runbook is read once for both
	if r.Output, err = t.output(q.Query, q.Known, q.Step, q.Value); err != nil || !q.Ahead {
		return r, err
	}
	q.Query.Ended = withOutput(q.Query.Ended, q.Step, r.Output)
	plan, told, wrong := t.resolveAhead(q.Query, q.Known, q.Spared)
	if wrong != nil || told == nil {
		return r, nil
	}
	r.Plan, r.Ahead = plan, told
	r.sayNow()
	return r, nil
}

// sayNow adds the resolutions of the plan, which its own form leaves out.
func (r *childReply) sayNow() {
	for _, s := range r.Plan.Steps {
		r.Now = append(r.Now, s.Now)
	}
}
