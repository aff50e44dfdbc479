package sim

import "time"

// single is one fault at one call, and nothing else: the n-th call of a fixed simulation.
type single struct {
	n     int
	fault Fault
	calls int
	point Point // where it happened, once it has
}

func (s *single) at(_ *process, pt Point) Fault {
	s.calls++
	if s.calls != s.n || !s.fault.fits(pt) {
		return NoFault
	}
	s.point = pt
	return s.fault
}

func (s *single) latency(Point) time.Duration { return 0 }

func (s *single) plan(*World, time.Duration) {}
