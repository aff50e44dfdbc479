package sim

import "time"

// clockPort is the clock of the machine.
type clockPort struct{ p *process }

func (c clockPort) Now() time.Time { return c.p.clock() }
