package runbook

import (
	"slices"
	"time"
)

const day = 24 * time.Hour

// Over returns when a wait that begins at now is over, in whole milliseconds and never early: a fraction counts as a whole
// one. It may lie in the past. ok is false if that time never comes, which is so for a window without days.
func (w Wait) Over(now time.Time) (over time.Time, ok bool) {
	switch {
	case w.Window != nil:
		over, ok = w.Window.Opens(now)
	case !w.Until.IsZero():
		over, ok = w.Until, true
	default:
		over, ok = now.Add(w.For), true
	}
	if whole := over.Truncate(time.Millisecond); !whole.Equal(over) {
		over = whole.Add(time.Millisecond)
	}
	return over.UTC(), ok
}

// Opens returns the first moment at or after at in which the window is open: at itself while it is. The end of a window is
// not part of it. A window whose To is not after its From reaches into the next day.
func (w Window) Opens(at time.Time) (opens time.Time, ok bool) {
	at = at.UTC()
	to := w.To
	if to <= w.From {
		to += day
	}
	midnight := at.Truncate(day).Add(-day) // yesterday's window may reach into today
	for range 9 {
		if slices.Contains(w.Days, midnight.Weekday()) && at.Before(midnight.Add(to)) {
			if from := midnight.Add(w.From); from.After(at) {
				return from, true
			}
			return at, true
		}
		midnight = midnight.Add(day)
	}
	return time.Time{}, false
}
