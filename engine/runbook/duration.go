package runbook

import (
	"strconv"
	"strings"
	"time"
)

// LongestDuration is the longest time that a runbook may name: a step that waits for more than a year is a mistake.
const LongestDuration = 366 * 24 * time.Hour

// Span is a length of time as people read it: 30m and 1h30m, and not 30m0s and 1h30m0s.
func Span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ParseDuration reads a #Duration of the schema, such as 1m30s or 2d. It reports false for what is no such text, and
// for more than LongestDuration.
func ParseDuration(s string) (time.Duration, bool) {
	var sum time.Duration
	for s != "" {
		digits := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if digits <= 0 || digits > 12 {
			return 0, false
		}
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		if err != nil {
			return 0, false
		}
		s = s[digits:]
		unit, length := unitOf(s)
		if length == 0 || n > int64(LongestDuration/unit) {
			return 0, false
		}
		sum += time.Duration(n) * unit
		if sum > LongestDuration {
			return 0, false
		}
		s = s[length:]
	}
	return sum, sum >= 0
}

func unitOf(s string) (unit time.Duration, length int) {
	switch {
	case strings.HasPrefix(s, "ms"):
		return time.Millisecond, 2
	case strings.HasPrefix(s, "s"):
		return time.Second, 1
	case strings.HasPrefix(s, "m"):
		return time.Minute, 1
	case strings.HasPrefix(s, "h"):
		return time.Hour, 1
	case strings.HasPrefix(s, "d"):
		return 24 * time.Hour, 1
	}
	return 0, 0
}
