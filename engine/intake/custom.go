package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/pullbook/pullbook/engine/incident"
)

// Custom is what the name of a source begins with whose format the ledger's pullbook.cue defines.
const Custom = "custom/"

// MaxCustom is the size of the largest body in a custom format, in bytes.
const MaxCustom = 256 << 10

// MapError says that a body is not what a custom format wants, or that there is no such format. Its text is for whoever
// posted, and names the field.
type MapError struct {
	Unknown bool
	Problem string
}

func (e *MapError) Error() string { return e.Problem }

// custom reads a body in a custom format: Map makes one generic alert of it. Any other error of Map than a *MapError asks
// the source to send the same again.
func (h *handler) custom(ctx context.Context, name string, body []byte) ([]incident.Alert, *failure) {
	if h.Map == nil {
		return nil, &failure{status: http.StatusNotFound, err: fault("path", "no such source", "this engine knows no custom formats")}
	}
	if len(body) > MaxCustom {
		return nil, &failure{status: http.StatusRequestEntityTooLarge, err: fault("body", fmt.Sprintf("larger than %d bytes", MaxCustom), "send less at once")}
	}
	if _, err := decode(body); err != nil { // bounds its depth, and refuses a field that is given twice
		return nil, &failure{status: http.StatusBadRequest, err: err}
	}
	made, err := h.Map(ctx, name, body)
	if wrong, ok := errors.AsType[*MapError](err); ok {
		status := http.StatusUnprocessableEntity
		if wrong.Unknown {
			status = http.StatusNotFound
		}
		return nil, &failure{status: status, err: wrong}
	}
	if err != nil {
		return nil, &failure{status: http.StatusServiceUnavailable, err: fault("server", "the format cannot be read now", "send it again"), cause: err}
	}
	root, err := decode(made)
	if err == nil {
		var a incident.Alert
		if a, err = genericAlert(Custom+name, "alert", root); err == nil {
			return []incident.Alert{a}, nil
		}
	}
	return nil, &failure{status: http.StatusUnprocessableEntity, err: err}
}
