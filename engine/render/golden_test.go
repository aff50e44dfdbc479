package render

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

var update = flag.Bool("update", false, "write the golden files anew")

// moment is one point in the life of an incident, with everything that is shown of it then.
type moment struct {
	name string
	data []incident.Data
	view incident.View
	step string // whose check is shown
}

func moments() []moment {
	deed := incident.Deed{By: alice(), Via: "comment", ID: 77, At: sampleStart().Add(time.Minute), Words: "/cancel wrong service"}
	started := append(toGate(), toManual()[5:7]...)
	failed := append(append([]incident.Data{}, started...), finished("rollback", 1, runbook.Failed, 30*time.Second))
	unknown := append(append([]incident.Data{}, started...), incident.StepUnknown{Step: "rollback", Attempt: 1})
	cancelled := append(toGate(), incident.CancelAsked{Why: "wrong service", Deed: deed}, incident.Ended{End: incident.EndCancelled})
	reading := incident.View{Attempts: []incident.Attempt{{Step: "errors", Number: 1, State: incident.AttemptRunning}}}
	foreign := gateView()
	foreign.Branch.Foreign = &incident.Foreign{Commit: strings.Repeat("bad0", 10), Why: "it carries no signature of the engine"}
	return []moment{
		{"opened", []incident.Data{sampleOpened()}, reading, "errors"},
		{"gate", toGate(), gateView(), "rollback"},
		{"running", started, incident.View{}, "errors"},
		{"halted", failed, incident.View{}, "rollback"},
		{"unknown", unknown, incident.View{}, "rollback"},
		{"manual", toManual(), incident.View{}, "recovered"},
		{"frozen", toGate(), foreign, "version"},
		{"cancelled", cancelled, incident.View{}, "rollback"},
		{"resolved", toEnd(), incident.View{}, "confirm"},
	}
}

func (m moment) render(t *testing.T, p runbook.Plan) []byte {
	t.Helper()
	events := script(m.data...)
	s := fold(t, events)
	c := Check(p, s, m.step, "HTTP/1.1 200 OK\n{\"ok\":true}\n")
	var timeline strings.Builder
	for _, e := range events {
		timeline.WriteString(Progress(e) + "\n")
	}
	return txtar.Format(&txtar.Archive{Files: []txtar.File{
		{Name: "title.txt", Data: []byte(Title(p, s) + "\n")},
		{Name: "body.md", Data: []byte(Body(p, s, m.view))},
		{Name: "check.md", Data: fmt.Appendf(nil, "%s\n%s\n%s\n\n%s\n%s", c.Name, c.Conclusion, c.Title, c.Summary, c.Text)},
		{Name: "progress.txt", Data: []byte(timeline.String())},
		{Name: "numbers.txt", Data: []byte(Measure(p, s, events).String())},
		{Name: "report.md", Data: Report(p, s, events)},
	}})
}

// TestMoments compares what people see at each point of an incident with testdata. Only accept a change of these files if you
// know why it came about and want it.
func TestMoments(t *testing.T) {
	compare(t, samplePlan(), moments())
	compare(t, stagedPlan(), stagedMoments())
	compare(t, eachPlan(5), eachMoments())
}

func compare(t *testing.T, p runbook.Plan, moments []moment) {
	t.Helper()
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			got := m.render(t, p)
			if again := m.render(t, p); !bytes.Equal(got, again) {
				t.Fatalf("rendered twice, two answers:\n%s", cmp.Diff(string(got), string(again)))
			}
			path := filepath.Join("testdata", m.name+".txtar")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
