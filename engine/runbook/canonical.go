package runbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Canonical is indented JSON without HTML escapes and without a newline at its end: maps are sorted, so equal values give equal
// bytes. It fails where encoding/json does.
func Canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return indented(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// indented is what json.Indent makes of compact JSON with two spaces a level. That one reads every byte as the grammar has it, which
// is most of what the encoding of an event costs; this one takes what the encoder has just written for granted.
func indented(compact []byte) []byte {
	out, depth := make([]byte, 0, 2*len(compact)), 0
	newline := func(by int) {
		depth += by
		out = append(out, '\n')
		for range depth {
			out = append(out, "  "...)
		}
	}
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; c {
		case '"':
			end := stringEnd(compact, i)
			out = append(out, compact[i:end]...)
			i = end - 1
		case '{', '[':
			out = append(out, c)
			if next := compact[i+1]; next != '}' && next != ']' {
				newline(1)
				continue
			}
			i++
			out = append(out, compact[i])
		case '}', ']':
			newline(-1)
			out = append(out, c)
		case ',':
			out = append(out, c)
			newline(0)
		case ':':
			out = append(out, ": "...)
		default:
			out = append(out, c)
		}
	}
	return slices.Clip(out)
}

// stringEnd is where the string ends that begins at a place.
func stringEnd(compact []byte, at int) int {
	for at++; compact[at] != '"'; at++ {
		if compact[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// canonical is Canonical of what is always JSON.
func canonical(v any) []byte {
	b, err := Canonical(v)
	if err != nil {
		panic(fmt.Sprintf("runbook: a gate is always JSON: %v", err)) // unreachable unless bug in this package
	}
	return b
}
