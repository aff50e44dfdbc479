package cueval

import (
	"crypto/sha256"
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

// digest tells apart sources that hold all that their plans are made of.
func digest(src runbook.Source) [sha256.Size]byte {
	src.Others = nil // Plan.Sources says what of these belongs to Files
	return src.Digest()
}
