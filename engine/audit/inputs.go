package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// otherInput is the first input of an incident that is not what was given for it, as a part of a sentence; empty if there is
// none. given and all are JSON objects by the names of inputs; what is not given has its default.
func otherInput(given, all json.RawMessage) string {
	if len(given) == 0 {
		return ""
	}
	gave, isObject := value(given).(map[string]any)
	if !isObject {
		return "inputs are others"
	}
	has, _ := value(all).(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(gave)) {
		if x, there := has[name]; !there || !within(gave[name], x) && !meant(gave[name], x) {
			return fmt.Sprintf("input %s is another", name)
		}
	}
	return ""
}

// value decodes JSON, with numbers as they are written; nil if it is none.
func value(text []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil || dec.More() {
		return nil
	}
	return v
}

// within reports whether a value is what was given, but for fields that were not given: those have defaults.
func within(given, v any) bool {
	switch g := given.(type) {
	case map[string]any:
		x, same := v.(map[string]any)
		for name := range g {
			w, there := x[name]
			same = same && there && within(g[name], w)
		}
		return same
	case []any:
		x, same := v.([]any)
		return same && slices.EqualFunc(g, x, within)
	case json.Number:
		x, same := v.(json.Number)
		return same && sameNumber(string(g), string(x))
	}
	return given == v
}

// meant reports whether a text was given for a value that is no text: then what it says as JSON is meant.
func meant(given, v any) bool {
	text, isText := given.(string)
	_, wantsText := v.(string)
	return isText && !wantsText && within(value([]byte(text)), v)
}

// sameNumber reports whether two numbers are the same, however they are written.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	exact := uint(64 + 4*max(len(a), len(b))) // bits: no two decimals of that length are rounded to the same
	x, _, err := big.ParseFloat(a, 10, exact, big.ToNearestEven)
	y, _, other := big.ParseFloat(b, 10, exact, big.ToNearestEven)
	return err == nil && other == nil && x.Cmp(y) == 0
}
