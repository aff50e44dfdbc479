package intake

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestRules(t *testing.T) {
	const text = `groups:
- name: disk
  labels: {team: storage, severity: info}
  rules:
  - record: disk:used
    expr: x
  - alert: DiskFull
    expr: disk:used > 0.9
    labels:
      severity: page
      host: "{{ $labels.instance }}"
    annotations: {summary: "{{ $value }}", runbook: disk}
---
kind: PrometheusRule
spec:
  groups:
  - rules:
    - {alert: Down, expr: up == 0, labels: {severity: 1}}
`
	got, err := Rules("r.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []runbook.AlertRule{
		{At: runbook.Spot{File: "r.yml", Line: 7, Column: 12}, Fields: map[string]string{"name": "DiskFull", "source": "alertmanager",
			"labels.alertname": "DiskFull", "labels.team": "storage", "labels.severity": "page", "annotations.runbook": "disk"}},
		{At: runbook.Spot{File: "r.yml", Line: 18, Column: 15}, Fields: map[string]string{"name": "Down", "source": "alertmanager",
			"labels.alertname": "Down", "labels.severity": "1"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for _, bad := range []string{"groups: x", "groups: [", "- a", "a: &a [*a, *a]\ngroups: *a"} {
		if _, err := Rules("r.yml", []byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
