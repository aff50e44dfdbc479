package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Bounds of a body's shape. An Alertmanager body has a depth of 4, and about 50,000 values where it fills MaxBody.
const (
	maxDepth  = 16
	maxValues = 100_000
)

// fault is the form of every error about a body: where, what, and what to do.
func fault(place, problem, hint string) error {
	return fmt.Errorf("%s: %s; %s", place, problem, hint)
}

// quote makes foreign text fit for an error: ASCII, in quotes, short.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// decode reads one JSON value into map[string]any, []any, string, json.Number, bool and nil. Unlike encoding/json it
// refuses a field that is given twice, since two readers could each believe another one, and it bounds depth and count.
func decode(body []byte) (any, error) {
	if err := syntax(body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	t := tree{decoder: d, body: body}
	return t.value(0)
}

// syntax checks the whole body before any of it is used; the token reader behind tree is more lenient.
func syntax(body []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(body, &raw)
	if err == nil {
		return nil
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fault(lineColumn(body, s.Offset), s.Error(), "the body is one JSON value")
	}
	return fault("body", err.Error(), "the body is one JSON value") // unreachable unless encoding/json adds an error
}

func lineColumn(body []byte, offset int64) string {
	before := body[:min(max(offset-1, 0), int64(len(body)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

type tree struct {
	decoder *json.Decoder
	body    []byte
	values  int
}

func (t *tree) here() string { return lineColumn(t.body, t.decoder.InputOffset()) }

func (t *tree) token() (json.Token, error) {
	token, err := t.decoder.Token()
	if err != nil {
		return nil, fault(t.here(), err.Error(), "the body is one JSON value") // unreachable: syntax has passed
	}
	return token, nil
}

func (t *tree) value(depth int) (any, error) {
	if t.values++; t.values > maxValues {
		return nil, fault(t.here(), fmt.Sprintf("more than %d values", maxValues), "send fewer alerts at once")
	}
	token, err := t.token()
	if err != nil {
		return nil, err
	}
	if _, nested := token.(json.Delim); nested && depth == maxDepth {
		return nil, fault(t.here(), fmt.Sprintf("nested deeper than %d", maxDepth), "labels and annotations are text")
	}
	switch token {
	case json.Delim('{'):
		return t.object(depth + 1)
	case json.Delim('['):
		return t.list(depth + 1)
	}
	return token, nil
}

func (t *tree) object(depth int) (map[string]any, error) {
	fields := map[string]any{}
	for t.decoder.More() {
		token, err := t.token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // always a string: syntax has passed
		if _, twice := fields[name]; twice {
			return nil, fault(t.here(), quote(name)+" is given twice", "keep one of them")
		}
		if fields[name], err = t.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := t.token()
	return fields, err
}

func (t *tree) list(depth int) ([]any, error) {
	items := []any{}
	for t.decoder.More() {
		item, err := t.value(depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := t.token()
	return items, err
}
