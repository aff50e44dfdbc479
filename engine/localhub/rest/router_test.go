package rest

import (
	"maps"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          map[string]string // nil: no match
	}{
		{"/repos/{owner}/{repo}", "/repos/acme/ops", map[string]string{"owner": "acme", "repo": "ops"}},
		{"/repos/{owner}/{repo}", "/repos/acme", nil},
		{"/repos/{owner}/{repo}", "/repos/acme/", nil},
		{"/repos/{owner}/{repo}", "/repos/acme/a%2Fb", map[string]string{"owner": "acme", "repo": "a/b"}},
		{"/repos/{owner}/{repo}", "/repos/acme/%00", nil},
		{"/c/{ref...}/check-runs", "/c/a/b/check-runs", map[string]string{"ref": "a/b"}},
		{"/c/{ref...}/check-runs", "/c/check-runs/check-runs", map[string]string{"ref": "check-runs"}},
		{"/c/{ref...}/check-runs", "/c/check-runs", nil},
		{"/c/{ref...}", "/c/a%20b/c", map[string]string{"ref": "a b/c"}},
		{"/c/{ref...}", "/c/", nil},
		{"/", "/", map[string]string{}},
	} {
		got, ok := parsePattern(c.pattern).match(c.path)
		if ok != (c.want != nil) || !maps.Equal(got, c.want) {
			t.Errorf("%s on %s: %v %v, want %v", c.pattern, c.path, got, ok, c.want)
		}
	}
}

// A row that an earlier one always matches first would never answer.
func TestEveryRouteIsReachable(t *testing.T) {
	s := New(Config{})
	for i, r := range s.routes {
		path := ""
		for _, seg := range r.pattern.segments[1:] {
			if seg != "" && seg[0] == '{' {
				seg = "7"
			}
			path += "/" + seg
		}
		for _, earlier := range s.routes[:i] {
			if _, ok := earlier.pattern.match(path); ok && earlier.Method == r.Method {
				t.Errorf("%s %s is answered by %s", r.Method, r.Path, earlier.Path)
			}
		}
	}
}
