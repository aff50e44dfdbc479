package cueval

import (
	"encoding/json"

	"github.com/pullbook/pullbook/engine/runbook"
)

// These evaluate one request as a process does that was started for it alone.

func load(src runbook.Source) (*document, runbook.Plan, []runbook.Problem) {
	return (&texts{}).load(src)
}

func planned(src runbook.Source, known *runbook.Plan) (*document, runbook.Plan, error) {
	return (&texts{}).planned(src, known)
}

func resolve(q runbook.Query, known *runbook.Plan) (runbook.Plan, error) {
	return (&texts{}).resolve(q, known)
}

func resolveBy(most int, q runbook.Query, known *runbook.Plan) (runbook.Plan, error) {
	return (&texts{}).resolveBy(most, q, known)
}

func until(q runbook.Query, known *runbook.Plan, name string, answer json.RawMessage) (bool, error) {
	return (&texts{}).until(q, known, name, answer)
}

func output(q runbook.Query, known *runbook.Plan, name string, text json.RawMessage) (json.RawMessage, error) {
	return (&texts{}).output(q, known, name, text)
}

func route(files map[string][]byte, alert json.RawMessage) (runbook.Route, error) {
	return (&texts{}).route(files, alert)
}

func mapped(files map[string][]byte, name string, payload json.RawMessage) (json.RawMessage, error) {
	return (&texts{}).mapped(files, name, payload)
}

func checkup(files map[string][]byte, name string) runbook.Checkup {
	return (&texts{}).checkup(files, name)
}
