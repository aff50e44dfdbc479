package intake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

func FuzzAlertmanager(f *testing.F) { fuzz(f, Alertmanager, nil) }

func FuzzGeneric(f *testing.F) { fuzz(f, Generic, rereads) }

// fuzz checks of any body: no panic, every bound held, the same result twice, and JSON that reads back as it was written.
func fuzz(f *testing.F, format string, more func(*testing.T, incident.Alert)) {
	files, err := filepath.Glob(filepath.Join("testdata", format, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alerts, err := Parse(format, body)
		if err != nil {
			return
		}
		checkBounds(t, alerts)
		again, err := Parse(format, body)
		if diff := cmp.Diff(alerts, again); err != nil || diff != "" {
			t.Fatalf("a second reading differs: %v\n%s", err, diff)
		}
		written := marshal(t, alerts, "")
		var back []incident.Alert
		if err := json.Unmarshal(written, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(written), string(marshal(t, back, ""))); diff != "" {
			t.Fatalf("not stable:\n%s", diff)
		}
		if more != nil {
			for _, a := range alerts {
				more(t, a)
			}
		}
	})
}

// rereads sends what was understood as a generic alert again, and expects it to be understood alike.
func rereads(t *testing.T, a incident.Alert) {
	t.Helper()
	out := map[string]any{
		"name": a.Name, "status": a.Status, "fingerprint": a.Fingerprint, "labels": a.Labels, "annotations": a.Annotations,
	}
	if a.URL != "" {
		out["url"] = a.URL
	}
	if !a.StartsAt.IsZero() {
		out["starts_at"] = a.StartsAt
	}
	body := marshal(t, out, "")
	if len(body) > MaxBody {
		return // quoting made it larger
	}
	got := parseOne(t, Generic, body)
	got.Group = a.Group
	if diff := cmp.Diff(a, got); diff != "" {
		t.Fatalf("reads differently when sent again:\n%s", diff)
	}
}
