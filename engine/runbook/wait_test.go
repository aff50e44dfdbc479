package runbook

import (
	"math/rand/v2"
	"testing"
	"time"
)

// at reads a time of the week that begins on Monday, 23 November 2026.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	days := map[string]int{"sun0": 22, "mon": 23, "tue": 24, "wed": 25, "thu": 26, "fri": 27, "sat": 28, "sun": 29, "mon2": 30}
	name, clock := text[:len(text)-9], text[len(text)-8:]
	c, err := time.Parse("15:04:05", clock)
	if err != nil || days[name] == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return time.Date(2026, 11, days[name], c.Hour(), c.Minute(), c.Second(), 0, time.UTC)
}

func TestWindowOpens(t *testing.T) {
	workdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	office := Window{Days: workdays, From: 9 * time.Hour, To: 17 * time.Hour}
	night := Window{Days: []time.Weekday{time.Friday}, From: 22 * time.Hour, To: 4 * time.Hour}
	late := Window{Days: []time.Weekday{time.Sunday}, From: 23 * time.Hour, To: time.Hour}
	one := Window{Days: []time.Weekday{time.Monday}, From: 0, To: time.Minute}
	whole := Window{Days: []time.Weekday{time.Saturday}, From: 0, To: 24 * time.Hour}
	cases := []struct {
		name, from, want string
		window           Window
	}{
		{"before it", "mon 08:59:59", "mon 09:00:00", office},
		{"at its beginning", "mon 09:00:00", "mon 09:00:00", office},
		{"in it", "mon 12:30:01", "mon 12:30:01", office},
		{"at its last second", "mon 16:59:59", "mon 16:59:59", office},
		{"at its end", "mon 17:00:00", "tue 09:00:00", office},
		{"at the end of the week", "fri 17:00:00", "mon2 09:00:00", office},
		{"on a day off", "sat 12:00:00", "mon2 09:00:00", office},
		{"over midnight, before", "fri 21:59:59", "fri 22:00:00", night},
		{"over midnight, in its first part", "fri 23:59:59", "fri 23:59:59", night},
		{"over midnight, at midnight", "sat 00:00:00", "sat 00:00:00", night},
		{"over midnight, in its second part", "sat 03:59:59", "sat 03:59:59", night},
		{"over midnight, at its end", "mon 00:00:00", "fri 22:00:00", night},
		{"over midnight, that of the day before", "fri 03:00:00", "fri 22:00:00", night},
		{"over the end of the week", "mon 00:59:59", "mon 00:59:59", late},
		{"over the end of the week, at its end", "mon 01:00:00", "sun 23:00:00", late},
		{"a week away", "mon 00:01:00", "mon2 00:00:00", one},
		{"a minute long", "mon 00:00:59", "mon 00:00:59", one},
		{"a whole day", "sat 23:59:59", "sat 23:59:59", whole},
		{"after a whole day", "mon 00:00:00", "sat 00:00:00", whole},
	}
	for _, c := range cases {
		got, ok := c.window.Opens(at(t, c.from))
		if want := at(t, c.want); !ok || !got.Equal(want) {
			t.Errorf("%s: %s gives %s, want %s", c.name, c.from, got.Format("Mon 15:04:05"), c.want)
		}
	}
	if _, ok := (Window{From: 0, To: time.Hour}).Opens(at(t, "mon 00:00:00")); ok {
		t.Error("a window without days opens")
	}
}

// TestWindowOpensEveryMinute compares with the obvious, slow way on random windows.
func TestWindowOpensEveryMinute(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w := Window{From: time.Duration(random.IntN(1440)) * time.Minute, To: time.Duration(random.IntN(1440)) * time.Minute}
		if w.From == w.To {
			continue
		}
		for d := range time.Saturday + 1 {
			if random.IntN(3) == 0 {
				w.Days = append(w.Days, d)
			}
		}
		if len(w.Days) == 0 {
			continue
		}
		from := time.Date(2026, 11, 22, 0, random.IntN(10080), 0, 0, time.UTC)
		want := from
		for !openAt(w, want) {
			want = want.Add(time.Minute)
		}
		if got, ok := w.Opens(from.In(time.FixedZone("east", 7*3600))); !ok || !got.Equal(want) {
			t.Fatalf("%+v from %s: %s, want %s", w, from, got, want)
		}
	}
}

// openAt reads the definition of a window: it is open from From to To on each of its days, To before From is the next day's.
func openAt(w Window, at time.Time) bool {
	clock := at.Sub(at.Truncate(24 * time.Hour))
	today, yesterday := false, false
	for _, d := range w.Days {
		today = today || d == at.Weekday()
		yesterday = yesterday || (d+1)%7 == at.Weekday()
	}
	if w.From < w.To {
		return today && clock >= w.From && clock < w.To
	}
	return today && clock >= w.From || yesterday && clock < w.To
}

func TestWaitIsOver(t *testing.T) {
	now := at(t, "mon 08:00:00")
	cases := map[string]struct {
		wait Wait
		want time.Time
	}{
		"a length":            {Wait{For: 90 * time.Second}, now.Add(90 * time.Second)},
		"no length":           {Wait{}, now},
		"a moment":            {Wait{Until: at(t, "tue 08:00:00").In(time.FixedZone("west", -3600))}, at(t, "tue 08:00:00")},
		"a moment gone":       {Wait{Until: at(t, "sun0 08:00:00")}, at(t, "sun0 08:00:00")},
		"a window":            {Wait{Window: &Window{Days: []time.Weekday{time.Wednesday}, From: time.Hour, To: 2 * time.Hour}}, at(t, "wed 01:00:00")},
		"part of millisecond": {Wait{For: time.Nanosecond}, now.Add(time.Millisecond)},
	}
	for name, c := range cases {
		got, ok := c.wait.Over(now)
		if !ok || got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if _, ok := (Wait{Window: &Window{}}).Over(now); ok {
		t.Error("a window without days opens")
	}
}
