package sim

import "time"

// single is one fault at one call, and nothing else: the n-th call of a fixed simulation.
type single struct {
	n     int
	fault Fault
	calls int
	point Point     // where it happened, once it has
	full  time.Time // until when the disk is full
}

func (s *single) at(p *process, pt Point) Fault {
	s.calls++
	writes := pt.below("inbox.") && !pt.reads()
	switch {
	case s.calls == s.n && s.fault == DiskFull && writes:
		s.point, s.full = pt, p.w.now.Add(30*time.Second)
		return Refused
	case writes && p.w.now.Before(s.full):
		return Refused
	case s.calls != s.n || s.fault == DiskFull || !s.fault.fits(pt):
		return NoFault
	}
	s.point = pt
	return s.fault
}

func (s *single) door(w *World) *process { return w.active() }

func (s *single) latency(Point) time.Duration { return 0 }

func (s *single) plan(*World, time.Duration) {}
