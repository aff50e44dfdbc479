package render

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestInputs shows what a runbook was opened with, as text that mentions nobody.
func TestInputs(t *testing.T) {
	p, s := samplePlan(), fold(t, script(sampleOpened()))
	if body := Body(p, s, incident.View{}); strings.Contains(body, "Inputs") {
		t.Errorf("inputs are shown although there are none:\n%s", body)
	}
	s.Opened.Inputs = []byte(`{"region": "eu", "note": "@everyone` + "```" + `"}`)
	for name, text := range map[string]string{"body": Body(p, s, incident.View{}), "report": string(Report(p, s, nil))} {
		if !strings.Contains(text, "region = \"eu\"\n") || !strings.Contains(text, "## Inputs\n\n````text\n") || strings.Contains(text, "@everyone") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
