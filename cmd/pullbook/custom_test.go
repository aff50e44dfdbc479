package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// mapping is a ledger with custom formats, one of which needs a package.
func mapping() map[string]string {
	return map[string]string{
		"cue.mod/module.cue":  "module: \"ops.acme.example\"\n",
		"lib/words/words.cue": "package words\n\nservice: \"gated\"\n",
		"runbooks/gated.cue":  gated,
		"pullbook.cue": `import "ops.acme.example/lib/words"

command: ["acme/sre"]
intake: {
	uptime: {
		payload: {check: string, down: bool, host: name: string}
		alert: {
			name:   payload.check
			group:  payload.host.name
			status: [if payload.down {"firing"}, "resolved"][0]
			labels: {service: words.service, host: payload.host.name}
		}
	}
	linked: {payload: {at: string}, alert: {name: "x", url: payload.at}}
}
`,
	}
}

// TestCustomFormat: JSON of a form that the ledger defines becomes an incident and resolves it; what does not fit is refused with the
// field's name, before anything is stored, and the format goes on while the hub is away.
func TestCustomFormat(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: mapping()})
	s.setToken(t, "open-sesame")
	s.serve(t)
	post := func(name, body string, header ...string) (int, string) {
		p := parcel{path: "/alerts/custom/" + name, body: []byte(body), header: map[string]string{}}
		for i := 0; i+1 < len(header); i += 2 {
			p.header[header[i]] = header[i+1]
		}
		return s.post(t, p)
	}
	const down = `{"check": "Home page", "down": true, "host": {"name": "web-1", "zone": "eu"}, "more": [1, 2]}`
	for _, c := range []struct {
		name, intake, body string
		status             int
		says               string
	}{
		{"unknown format", "uptmie", down, 404, "did you mean uptime?"},
		{"wrong type", "uptime", strings.Replace(down, "true", `"yes"`, 1), 422, "payload.down: "},
		{"missing field", "uptime", strings.Replace(down, `"name": "web-1", `, "", 1), 422, "payload.host.name: is missing"},
		{"no object", "uptime", `[]`, 422, "payload: "},
		{"field twice", "uptime", strings.Replace(down, `"down": true`, `"down": true, "down": true`, 1), 400, "down"},
		{"deep", "uptime", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), 400, "deep"},
		{"no JSON", "uptime", `{`, 400, "line 1"},
		{"large", "uptime", `{"check": "` + strings.Repeat("x", 300<<10) + `"}`, 413, "larger than"},
		{"an alert that no alert may be", "linked", `{"at": "javascript:alert(1)"}`, 422, "alert.url"},
	} {
		if status, answer := post(c.intake, c.body); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, answer, c.status, c.says)
		}
	}
	if status, _ := post("uptime", down, "Authorization", "Bearer guess"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", status)
	}

	status, answer := post("uptime", down)
	var receipt struct{ Groups []string }
	if err := json.Unmarshal([]byte(answer), &receipt); err != nil || status != http.StatusAccepted || len(receipt.Groups) != 1 {
		t.Fatalf("%d: %s", status, answer)
	}
	seen := s.await(t, receipt.Groups[0], "the incident opens", func(v sight) bool { return has[incident.Opened](v) })
	opened, _ := find[incident.Opened](seen)
	if a := opened.Alert; opened.Runbook != "runbooks/gated.cue" || a.Source != "custom/uptime" || a.Name != "Home page" || a.Labels["host"] != "web-1" {
		t.Errorf("opened %s for %+v", opened.Runbook, a)
	}
	if status, answer := post("uptime", strings.Replace(down, "true", "false", 1)); status != http.StatusAccepted || !strings.Contains(answer, receipt.Groups[0]) {
		t.Errorf("resolved: %d %s, want the group %s", status, answer, receipt.Groups[0])
	}
	s.await(t, receipt.Groups[0], "the resolution is recorded", func(v sight) bool {
		u, ok := find[incident.AlertUpdated](v)
		return ok && u.Alert.Status == incident.ResolvedNow
	})
}
