package rest

import (
	"net/url"
	"strings"
)

// A pattern is a path split at slashes. {name} takes one segment, {name...} takes one or more; text after {name...} is
// matched at the path's end, which GitHub needs for refs: /commits/{ref...}/check-runs.
type pattern struct {
	text     string
	segments []string
	wild     int // index of the {name...} segment, or -1
}

func parsePattern(text string) pattern {
	p := pattern{text: text, segments: strings.Split(text, "/"), wild: -1}
	for i, s := range p.segments {
		if strings.HasSuffix(s, "...}") {
			p.wild = i
		}
	}
	return p
}

// match compares a path that is still escaped, so that an escaped slash stays within its segment.
func (p pattern) match(path string) (map[string]string, bool) {
	parts := strings.Split(path, "/")
	extra := len(parts) - len(p.segments)
	if extra < 0 || (extra > 0 && p.wild < 0) {
		return nil, false
	}
	params := map[string]string{}
	at := 0
	for i, seg := range p.segments {
		n := 1
		if i == p.wild {
			n += extra
		}
		if !bind(params, seg, strings.Join(parts[at:at+n], "/")) {
			return nil, false
		}
		at += n
	}
	return params, true
}

func bind(params map[string]string, segment, escaped string) bool {
	name, isParam := strings.CutPrefix(segment, "{")
	if !isParam {
		return segment == escaped
	}
	value, err := url.PathUnescape(escaped)
	if err != nil || value == "" || strings.ContainsRune(value, 0) {
		return false
	}
	params[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")] = value
	return true
}
