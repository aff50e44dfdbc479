package cueval

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxPlans is how many plans are kept: more than incidents are open at once. What is not kept is made again.
const maxPlans = 64

// plans keeps the plans that children made, by the bytes of their sources. Its zero value is empty.
type plans struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]runbook.Plan
}

// of returns the plan of a source, or nil.
func (p *plans) of(src runbook.Source) *runbook.Plan {
	key := digest(src)
	p.mu.Lock()
	defer p.mu.Unlock()
	plan, ok := p.by[key]
	if !ok {
		return nil
	}
	return &plan
}

// keep remembers the plan of a source. What the plan's slices hold must not be changed afterwards.
func (p *plans) keep(src runbook.Source, plan runbook.Plan) {
	plan.Steps = slices.Clone(plan.Steps)
	key := digest(src)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[[sha256.Size]byte]runbook.Plan{}
	}
	for old := range p.by {
		if len(p.by) < maxPlans {
			break
		}
		delete(p.by, old)
	}
	p.by[key] = plan
}

// digest tells sources apart.
func digest(src runbook.Source) (sum [sha256.Size]byte) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	write := func(v any) {
		if err := enc.Encode(v); err != nil {
			panic("cueval: texts are always JSON: " + err.Error()) // unreachable: a hash takes everything
		}
	}
	write(src.Runbook)
	write(src.Inputs)
	write(src.Schema)
	for _, name := range slices.Sorted(maps.Keys(src.Files)) {
		write(name)
		write(src.Files[name])
	}
	return [sha256.Size]byte(h.Sum(sum[:0]))
}
