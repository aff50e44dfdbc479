package audit

import (
	"encoding/json"
	"testing"
)

// TestOtherInput gives the same values in other words, with defaults beside them, and other values.
func TestOtherInput(t *testing.T) {
	for _, c := range []struct{ given, all, want string }{
		{"", `{"a": 1}`, ""},
		{`{}`, ``, ""},
		{`{"a": "x"}`, `{"a": "x", "b": 1}`, ""},
		{`{"a": "x"}`, `{"a": "y"}`, "input a is another"},
		{`{"a": "x"}`, `{"b": "x"}`, "input a is another"},
		{`{"a": null}`, `{}`, "input a is another"},
		{`{"a": null}`, `{"a": null}`, ""},
		{`{"b": 1, "a": 1}`, `{}`, "input a is another"},
		{`{"a": 100}`, `{"a": 1.00e2}`, ""},
		{`{"a": 9007199254740993}`, `{"a": 9007199254740992}`, "input a is another"},
		{`{"a": 0.1}`, `{"a": 0.1000000000000000000000001}`, "input a is another"},
		{`{"a": 1e999999999999}`, `{"a": 1e999999999998}`, "input a is another"},
		{`{"a": "3"}`, `{"a": 3}`, ""},
		{`{"a": "4"}`, `{"a": 3}`, "input a is another"},
		{`{"a": "3"}`, `{"a": "3.0"}`, "input a is another"},
		{`{"a": 3}`, `{"a": "3"}`, "input a is another"},
		{`{"a": true}`, `{"a": "true"}`, "input a is another"},
		{`{"a": {"b": [1, {"c": 2}]}}`, `{"a": {"b": [1, {"c": 2, "d": 3}], "e": 4}}`, ""},
		{`{"a": {"b": [1, {"c": 2}]}}`, `{"a": {"b": [1, {"c": 3}]}}`, "input a is another"},
		{`{"a": [1]}`, `{"a": [1, 2]}`, "input a is another"},
		{`{"a": {}}`, `{"a": []}`, "input a is another"},
		{`{"a": 1`, `{"a": 1}`, "inputs are others"},
	} {
		if got := otherInput(json.RawMessage(c.given), json.RawMessage(c.all)); got != c.want {
			t.Errorf("%s within %s: %q, want %q", c.given, c.all, got, c.want)
		}
	}
}
