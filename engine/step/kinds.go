package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// kinds has one method for each kind of the schema that a runner performs, with the kind's name but for the case of its
// letters. The method stands in the file of the kind and makes an empty performer of it: a new kind is a new file, and
// there is no table to keep.
type kinds struct{}

// performer is the work of one kind. Its exported fields are those of the kind's definition in the schema.
type performer interface {
	// names are the names of the secrets that the step lists.
	names() []string
	// perform does the work within the time of ctx. What it may write down goes through the attempt, which covers secrets.
	perform(ctx stepContext, a *attempt) result
}

// performerOf reads work of a kind. Unknown fields are refused: they would be something that people approved and that
// does not happen.
func performerOf(kind runbook.Kind, work json.RawMessage) (performer, error) {
	all := reflect.ValueOf(kinds{})
	for i := range all.NumMethod() {
		if !strings.EqualFold(all.Type().Method(i).Name, string(kind)) {
			continue
		}
		p, ok := all.Method(i).Call(nil)[0].Interface().(performer)
		if !ok {
			break // unreachable: a test makes a performer of every method
		}
		dec := json.NewDecoder(bytes.NewReader(work))
		dec.DisallowUnknownFields()
		dec.UseNumber() // no number becomes another one
		if err := dec.Decode(p); err != nil {
			return nil, fmt.Errorf("read the work of kind %s: %w", kind, err)
		}
		return p, nil
	}
	return nil, fmt.Errorf("no runner performs steps of kind %q", kind)
}

// named are the secrets of a kind that has a field for them.
type named struct {
	Secrets []string `json:"secrets"`
}

func (n named) names() []string { return n.Secrets }

// length is a #Duration of the schema.
type length time.Duration

func (l *length) UnmarshalJSON(text []byte) error {
	s, err := strconv.Unquote(string(text))
	if err != nil {
		return fmt.Errorf("%s is no length of time", text)
	}
	d, ok := runbook.ParseDuration(s)
	if !ok || d <= 0 {
		return fmt.Errorf("%q is no length of time", s)
	}
	*l = length(d)
	return nil
}
