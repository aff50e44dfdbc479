package runbook

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	good := map[string]time.Duration{
		"90s": 90 * time.Second, "1m30s": 90 * time.Second, "500ms": time.Second / 2, "2d": 48 * time.Hour,
		"366d": LongestDuration, "0s": 0, "1h1ms": time.Hour + time.Millisecond, "": 0,
	}
	for text, want := range good {
		if got, ok := ParseDuration(text); !ok || got != want {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"s", "3", "3x", "-1s", "1.5s", "367d", "366d1ms", "99999999999999999999d", "9999999999999s", "1 s", "µs"} {
		if got, ok := ParseDuration(text); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 500 * time.Millisecond: "500ms", 10 * time.Second: "10s", time.Minute: "1m", 90 * time.Second: "1m30s",
		30 * time.Minute: "30m", time.Hour: "1h", 100 * time.Minute: "1h40m", time.Hour + time.Second: "1h0m1s", 72 * time.Hour: "72h", -time.Hour: "-1h"} {
		if got := Span(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
		if back, ok := ParseDuration(Span(d)); d >= 0 && (!ok || back != d) {
			t.Errorf("%s is read as %v", Span(d), back)
		}
	}
}
