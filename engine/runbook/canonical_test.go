package runbook

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzCanonical: it is what encoding/json indents, whatever the value is.
func FuzzCanonical(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `""`, `null`, `[[],{},[{}]]`, `{"a":{"b":[1,-2.5e7,true,null]},"c":"\\\"}],:{"}`, `["<a>&","\u2028","\\",""]`, ` { "b" : [ ] , "a" : 1 } `} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []any{text, json.RawMessage(text), map[string]any{text: []string{text, ""}}} {
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			wantErr := enc.Encode(v)
			got, err := Canonical(v)
			if (err == nil) != (wantErr == nil) || err == nil && string(got)+"\n" != want.String() {
				t.Fatalf("%q became\n%s\n%v, and encoding/json has\n%s%v", text, got, err, want.Bytes(), wantErr)
			}
		}
	})
}
