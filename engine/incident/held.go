package incident

// nothingStarts reports whether every step that has not begun has to wait for a person: the incident is halted or paused.
func (d *decider) nothingStarts() bool { return d.halted || d.state.Paused != nil }

// keptOpen reports whether a person keeps an incident from coming to the given end, of which every step is over.
func (d *decider) keptOpen(end End) bool {
	kept := d.state.mayEnd(end) != nil
	d.asking = d.asking || kept
	return kept
}

// heldText says who keeps an incident from going on, or from its end, and what ends that; empty if nobody does.
func (d *decider) heldText() string {
	switch s := d.state; {
	case s.Paused != nil:
		return "Paused by " + s.Paused.Deed.By.Login + ": nothing starts until somebody says `/resume`."
	case s.Reopened != nil && s.restsOnWord(d):
		return "Reopened by " + s.Reopened.Deed.By.Login + ": it ends when somebody says `/resolve`, or `/cancel` with the reason."
	}
	return ""
}

// restsOnWord reports whether all steps are over, so that only a person's word brings the end.
func (s State) restsOnWord(d *decider) bool {
	for step := range d.plan.In(s.Stage()) {
		if !s.settled(step) {
			return false
		}
	}
	return true
}
