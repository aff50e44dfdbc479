package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// asked is a deed of an engine on one branch, as it was asked for.
type asked struct {
	branch, what string // what: write, merge, delete, read
	old, new     string // where the branch must be, and is afterwards; of a merge: the head
	facts        []fact // that a write brings
}

// fact is what an event of a journal says: open, intent, approve, result, end.
type fact struct {
	Kind string
	Data struct {
		Step    string
		Attempt int
	}
}

// answered is what the engine was told: done, moved, or nothing that it can rely on; of a read where the branch is.
type answered struct{ how, head string }

const (
	done   = "done"
	moved  = "moved"
	nobody = "nobody knows"
)

// tape records what engines ask and are told. Its clock counts what happens: there is one thread of time.
type tape struct {
	clock   int64
	engines int
	ops     []porcupine.Operation
}

func (t *tape) tick() int64 { t.clock++; return t.clock }

// taped puts the tape between an engine and its ports.
func (t *tape) taped(c engine.Config) engine.Config {
	t.engines++
	c.Journal = &tapedJournal{c.Journal, t, t.engines, map[string]*asked{}}
	c.Hub, c.Ledger = tapedHub{c.Hub, t, t.engines}, tapedLedger{c.Ledger, t, t.engines}
	return c
}

// note keeps one operation that has returned. What the simulated hub does of it, it does before that.
func (t *tape) note(client int, call int64, in asked, out answered) {
	t.ops = append(t.ops, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: t.tick()})
}

type tapedJournal struct {
	engine.Journal
	tape   *tape
	client int
	writes map[string]*asked // by branch: what the next push brings
}

func (j *tapedJournal) Append(ctx context.Context, c engine.NewCommit) (string, error) {
	id, err := j.Journal.Append(ctx, c)
	if err != nil {
		return id, err
	}
	w := j.writes[c.Branch]
	if w == nil {
		w = &asked{branch: c.Branch, what: "write", old: c.Parent}
		if c.Create {
			w.old = ""
		}
		if c.Over != "" {
			w.old = c.Over
		}
		j.writes[c.Branch] = w
	}
	w.new = id
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		var f fact
		if strings.Contains(path, "/journal/") && json.Unmarshal(c.Files[path], &f) == nil {
			w.facts = append(w.facts, f)
		}
	}
	return id, nil
}

func (j *tapedJournal) Discard(branch string) {
	delete(j.writes, branch)
	j.Journal.Discard(branch)
}

func (j *tapedJournal) Flush(ctx context.Context, branch string, confirm func(context.Context) error) error {
	call := int64(0)
	err := j.Journal.Flush(ctx, branch, func(ctx context.Context) error {
		err := confirm(ctx)
		if err == nil {
			call = j.tape.tick()
		}
		return err
	})
	w := j.writes[branch]
	if call == 0 || w == nil {
		return err // nothing departed
	}
	in := *w
	in.facts = slices.Clone(w.facts)
	j.tape.note(j.client, call, in, answered{how: told(err)})
	if err == nil {
		delete(j.writes, branch)
	}
	return err
}

func told(err error) string {
	switch {
	case err == nil:
		return done
	case errors.Is(err, engine.ErrMoved):
		return moved
	}
	return nobody
}

type tapedHub struct {
	engine.Hub
	tape   *tape
	client int
}

func (h tapedHub) Merge(ctx context.Context, m incident.MergeRequest) error {
	call := h.tape.tick()
	err := h.Hub.Merge(ctx, m)
	h.tape.note(h.client, call, asked{branch: fmt.Sprint(m.Pull), what: "merge", new: m.Head}, answered{how: told(err)})
	return err
}

func (h tapedHub) Publish(ctx context.Context, p incident.Publication) error {
	call := h.tape.tick()
	err := h.Hub.Publish(ctx, p)
	if p.DeleteBranch != "" {
		h.tape.note(h.client, call, asked{branch: p.DeleteBranch, what: "delete"}, answered{how: told(err)})
	}
	return err
}

type tapedLedger struct {
	engine.Ledger
	tape   *tape
	client int
}

func (l tapedLedger) Branch(ctx context.Context, q engine.BranchQuery) (engine.Branch, error) {
	call := l.tape.tick()
	b, err := l.Ledger.Branch(ctx, q)
	if err == nil && q.At == "" {
		l.tape.note(l.client, call, asked{branch: q.Name, what: "read"}, answered{done, b.Head})
	}
	return b, err
}

// branchState is an incident as if everything happened at one place, one thing after the other.
type branchState struct {
	head                        string
	opened, ended, merged, void bool   // void: opened again after its merge, and nothing of it may happen
	facts                       string // intents and results, by step and attempt; gates that are open
}

// with is the state after a fact, if that may be.
func (s branchState) with(f fact) (branchState, bool) {
	intent, result, gate := fmt.Sprintf("|intent %s %d|", f.Data.Step, f.Data.Attempt), fmt.Sprintf("|result %s %d|", f.Data.Step, f.Data.Attempt), "|gate "+f.Data.Step+"|"
	if f.Kind == "opened" {
		s.void = s.opened && s.merged
		may := !s.opened || s.merged
		s.opened = true
		return s, may
	}
	may := s.opened && !s.merged && !s.void
	once := func(text string) {
		may = may && !s.ended && !strings.Contains(s.facts, text)
		s.facts += text
	}
	switch f.Kind {
	case "step-started":
		once(intent)
	case "step-ended":
		once(result)
	case "gate-opened":
		s.facts = strings.ReplaceAll(s.facts, gate, "") + gate
	case "gate-approved":
		may = may && !s.ended && strings.Contains(s.facts, gate)
		s.facts = strings.ReplaceAll(s.facts, gate, "")
	case "ended":
		may, s.ended = may && !s.ended, true
	case "reopened":
		s.ended = false
	}
	return s, may
}

// after is the state when what was asked has been done, if that may be.
func (s branchState) after(in asked) (branchState, bool) {
	may := true
	switch in.what {
	case "write":
		may = s.head == in.old
		for _, f := range in.facts {
			var fits bool
			s, fits = s.with(f)
			may = may && fits
		}
		s.head = in.new
	case "merge":
		may = s.merged || s.ended && s.head == in.new && !s.void
		s.merged = true
	case "delete":
		may = s.merged || s.void || s.head == ""
		s.head = ""
	}
	return s, may
}

// atOnePlace is the model: open, intent, result, approve and merge of each incident happen one after the other.
func atOnePlace() porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			for _, op := range history {
				name := op.Input.(asked).branch
				by[name] = append(by[name], op)
			}
			return slices.Collect(maps.Values(by))
		},
		Init: func() []any { return []any{branchState{}} },
		Step: func(state, input, output any) []any {
			s, in, out := state.(branchState), input.(asked), output.(answered)
			next, may := s.after(in)
			switch {
			case in.what == "read":
				if s.head != out.head {
					return nil
				}
				return []any{s}
			case out.how == moved && in.what == "write":
				if s.head == in.old {
					return nil
				}
				return []any{s}
			case out.how == done && in.what == "write" && s.head == in.new:
				return []any{s} // it had arrived before, and nobody knew
			case out.how == done && !may:
				return nil
			case out.how == done:
				return []any{next}
			case may:
				return []any{s, next}
			}
			return []any{s}
		},
		Equal: func(a, b any) bool { return a.(branchState) == b.(branchState) },
	}
	return nondeterministic.ToModel()
}

// recorded simulates a seed with two engines that both believe they have the ledger. Merges are asked of pull requests: they belong to
// the branch of theirs.
func recorded(seed uint64, spoil func(engine.Config) engine.Config) (ops []porcupine.Operation, err error) {
	t := &tape{}
	of := map[string]string{}
	o := Options{twins: true, spoil: func(c engine.Config) engine.Config { return t.taped(spoil(c)) },
		witness: func(w *World) {
			for _, p := range w.forge.pulls {
				of[fmt.Sprint(p.number)] = p.branch
			}
		}}
	err = Run(seed, o).Err
	for i := range t.ops {
		if in := t.ops[i].Input.(asked); in.what == "merge" {
			in.branch = of[in.branch]
			t.ops[i].Input = in
		}
	}
	return t.ops, err
}

// TestLinearizable: whatever two engines do that both believe they have the ledger, their incidents are as if one engine had done it.
func TestLinearizable(t *testing.T) {
	races, both := 0, map[string]map[int]bool{}
	for seed := range uint64(40 / fewer) {
		ops, err := recorded(seed, func(c engine.Config) engine.Config { return c })
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, op := range ops {
			name := fmt.Sprint(seed, " ", op.Input.(asked).branch)
			if both[name] == nil {
				both[name] = map[int]bool{}
			}
			if out := op.Output.(answered); op.Input.(asked).what == "write" && out.how != nobody {
				both[name][op.ClientId] = true
				if out.how == moved {
					races++
				}
			}
		}
		if !porcupine.CheckOperations(atOnePlace(), ops) {
			t.Errorf("seed %d at %s: the history of %d operations is not linearizable", seed, commitUnderTest(), len(ops))
		}
	}
	shared := 0
	for _, clients := range both {
		if len(clients) > 1 {
			shared++
		}
	}
	t.Logf("%d races were lost; %d of %d incidents were written by several engines", races, shared, len(both))
	if races == 0 || shared == 0 {
		t.Error("the engines did not meet")
	}
}

// deaf takes a lost race for a branch for won.
type deaf struct{ engine.Journal }

func (d deaf) Flush(ctx context.Context, branch string, confirm func(context.Context) error) error {
	err := d.Journal.Flush(ctx, branch, confirm)
	if errors.Is(err, engine.ErrMoved) {
		return nil
	}
	return err
}

// TestNotLinearizable: the history of engines that take a lost race for won is found out.
func TestNotLinearizable(t *testing.T) {
	for seed := range uint64(60) {
		ops, _ := recorded(seed, func(c engine.Config) engine.Config { c.Journal = deaf{c.Journal}; return c }) // what invariants find is not asked here
		if !porcupine.CheckOperations(atOnePlace(), ops) {
			return
		}
	}
	t.Error("nothing was found in the histories of 60 seeds")
}
