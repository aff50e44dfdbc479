package openapitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

func decoded(raw []byte) (any, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return v, nil
}

// told writes an error of the validator as violations: operation, side, pointer, reason, value.
func (o *operation) told(side string, err error) []string {
	leaves := unfold(err)
	out := make([]string, 0, len(leaves))
	for _, leaf := range leaves {
		out = append(out, fmt.Sprintf("%s: %s%s", o.id(), side, leaf))
	}
	return out
}

func unfold(err error) []string {
	if err == nil {
		return nil
	}
	var many openapi3.MultiError
	if errors.As(err, &many) {
		var out []string
		for _, e := range many {
			out = append(out, unfold(e)...)
		}
		return out
	}
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return []string{": " + err.Error()}
	}
	at := "/" + strings.Join(schema.JSONPointer(), "/")
	switch schema.SchemaField {
	case "anyOf":
		return prefixed(at, nearest(schema))
	case "allOf":
		if schema.Origin != nil {
			return prefixed(at, unfold(schema.Origin))
		}
	}
	return []string{fmt.Sprintf(" %s: %s; value %s", at, schema.Reason, shown(schema.Value))}
}

func prefixed(at string, list []string) []string {
	if at == "/" {
		return list
	}
	for i, text := range list {
		list[i] = " " + at + " >" + text
	}
	return list
}

// nearest are the violations of the alternative that fits best, since the validator says only that none does.
func nearest(e *openapi3.SchemaError) []string {
	var best []string
	for _, alternative := range e.Schema.AnyOf {
		err := alternative.Value.VisitJSON(e.Value, openapi3.MultiErrors(), openapi3.EnableFormatValidation())
		if list := unfold(err); err != nil && (best == nil || len(list) < len(best)) {
			best = list
		}
	}
	if best == nil {
		return []string{": " + e.Reason + "; value " + shown(e.Value)}
	}
	return best
}

// shown is a value, cut to what a person reads.
func shown(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > 200 {
		return string(raw[:200]) + "..."
	}
	return string(raw)
}
