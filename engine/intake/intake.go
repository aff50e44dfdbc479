package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
)

// The formats that Parse reads; each is the name of the source that posts it.
const (
	Alertmanager = "alertmanager"
	Generic      = "generic"
)

// Bounds of what one request may hold, in bytes where not said otherwise.
const (
	MaxBody        = 1 << 20 // a request
	MaxName        = 256     // the name of an alert
	MaxFingerprint = 128
	MaxLabels      = 64 // labels of one alert, and its annotations likewise
	MaxLabelName   = 128
	MaxValue       = 4 << 10 // a label's or annotation's value, the mark of the cut included
	MaxURL         = 4 << 10
	MaxMembers     = 250 // alerts kept of one group, and alerts in one generic list
)

// Parse reads a request body in one of the formats. It returns at least one alert, or an error that reads
// "place: problem; hint", is safe to show and to log, and means that sending the same again is of no use.
// Labels and annotations of every alert and member are never nil, times are UTC, and every bound of this package holds.
// The result depends on format and body alone.
func Parse(format string, body []byte) ([]incident.Alert, error) {
	parse, ok := parserOf(format)
	if !ok {
		return nil, fault("format", quote(format)+" is not known", `it is "alertmanager" or "generic"`)
	}
	if len(body) > MaxBody {
		return nil, fault("body", fmt.Sprintf("larger than %d bytes", MaxBody), tooLargeHint)
	}
	root, err := decode(body)
	if err != nil {
		return nil, err
	}
	return parse(root)
}

const tooLargeHint = "send fewer alerts at once (max_alerts in Alertmanager's webhook_config)"

func parserOf(format string) (func(root any) ([]incident.Alert, error), bool) {
	switch format {
	case Alertmanager:
		return parseAlertmanager, true
	case Generic:
		return parseGeneric, true
	}
	return nil, false
}

// digest is the lower-case hex SHA-256 of parts, each preceded by its length so that no two lists of parts read alike.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// pairs lists m as name, value, name, value in the order of the names.
func pairs(m map[string]string) []string {
	list := make([]string, 0, 2*len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name, m[name])
	}
	return list
}
