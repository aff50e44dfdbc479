package cueval

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestIntake maps payloads by the intakes of testdata/intake.txtar, in a child.
func TestIntake(t *testing.T) {
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute}) // a busy machine is no hostile payload
	a, err := txtar.ParseFile("testdata/intake.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := newScenario(a).src.Files
	good := `{"check": "Disk", "code": 2, "tags": {"host": "db-1"}, "state": "crit", "unread": [1, {"a": null}]}`
	for _, c := range []struct{ name, intake, payload, want string }{
		{"alert", "sensu", good, `{"name":"sensu Disk","status":"firing","labels":{"code":"2","tag_host":"db-1"},"annotations":{"severity":"page"},"group":"disk"}`},
		{"condition", "sensu", strings.Replace(good, "crit", "ok", 1), `{"name":"sensu Disk","status":"resolved","labels":{"code":"2","tag_host":"db-1"},"group":"disk"}`},
		{"anything", "anything", `{"some": {"where": "x", "else": 1}}`, `{"name":"x"}`},
		{"wrong type", "sensu", strings.Replace(good, `"Disk"`, "7", 1), "payload.check: "},
		{"missing", "sensu", strings.Replace(good, `"check": "Disk", `, "", 1), "payload.check: is missing"},
		{"missing where anything goes", "anything", `{"some": {}}`, "alert.name: "},
		{"none of the alternatives", "sensu", strings.Replace(good, "crit", "up", 1), "payload.state: "},
		{"wrong type deep inside", "sensu", strings.Replace(good, `"db-1"`, "[]", 1), "payload.tags.host: "},
		{"no object", "sensu", `[]`, "payload: "},
		{"null", "sensu", `null`, "payload: "},
		{"huge", "anything", `{"some": "` + strings.Repeat("x", maxValue) + `"}`, "at most 262144 are read"},
		{"CUE in a field's name", "anything", `{"some": {"where": "x"}, "where\": 1}, #x: {\"": 1, "#d": 2, "_h": 3}`, `{"name":"x"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := e.Alert(t.Context(), files, c.intake, []byte(c.payload))
			var wrong *IntakeError
			switch {
			case errors.As(err, &wrong) && strings.HasPrefix(c.want, "{"), err == nil && !sameJSON(t, got, c.want):
				t.Errorf("%s, %v", got, err)
			case err != nil && (wrong == nil || wrong.Unknown || !strings.Contains(wrong.Problem, c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	var wrong *IntakeError
	if _, err := e.Alert(t.Context(), files, "sensuu", []byte(good)); !errors.As(err, &wrong) || !wrong.Unknown || !strings.Contains(wrong.Problem, "did you mean sensu?") {
		t.Errorf("unknown intake: %v", err)
	}
	if _, err := e.Alert(t.Context(), nil, "sensu", []byte(good)); !errors.As(err, &wrong) || !wrong.Unknown {
		t.Errorf("no pullbook.cue: %v", err)
	}
}

// TestReadmeIntake maps the payload that the schema's README shows.
func TestReadmeIntake(t *testing.T) {
	text, err := os.ReadFile("../../schema/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### `intake`")
	parts := strings.Split(section, "```")
	if len(parts) < 6 {
		t.Fatal("the section has no examples")
	}
	organisation, _, _ := strings.Cut(strings.TrimPrefix(parts[1], "cue\norganisation: {"), "\n}\n")
	got, err := mapped(map[string][]byte{organisationFile: []byte(organisation)}, "uptime", []byte(strings.TrimPrefix(parts[3], "json")))
	if err != nil || !sameJSON(t, got, strings.TrimPrefix(parts[5], "json")) {
		t.Errorf("%s, %v", got, err)
	}
}

func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Error(err)
	}
	return reflect.DeepEqual(a, b)
}

// TestIntakeWalls shows that a payload, and an intake, that would keep the evaluator busy are stopped, and that a mistake
// elsewhere in pullbook.cue keeps no alert out while one in its syntax or imports does.
func TestIntakeWalls(t *testing.T) {
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute})
	deep := strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000)
	for text, want := range map[string]any{
		"people: alice: lgoin: 3\n":               nil,
		"people: {{{\n":                           new(*SourceError),
		"import \"ops.example.org/x\"\n_x: x.y\n": new(*SourceError),
	} {
		src := map[string][]byte{organisationFile: []byte(text + "intake: a: {payload: {n: string}, alert: name: payload.n}\n")}
		_, err := e.Alert(t.Context(), src, "a", []byte(`{"n": "x"}`))
		if want == nil && err != nil || want != nil && !errors.As(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	bomb := map[string][]byte{organisationFile: []byte("intake: a: {payload: {n: string}, alert: name: _x}\n" + doubling())}
	short := New(Config{Child: []string{os.Args[0], "eval-child"}})
	if _, err := short.Alert(t.Context(), bomb, "a", []byte(`{"n": "x"}`)); !stopped(err) {
		t.Errorf("a bomb: %v", err)
	}
	open := map[string][]byte{organisationFile: []byte("intake: a: {payload: _, alert: name: \"x\"}\n")}
	if _, err := e.Alert(t.Context(), open, "a", []byte(deep)); err != nil && !stopped(err) && !errors.As(err, new(*IntakeError)) {
		t.Errorf("a deep payload: %v", err)
	}
}

// doubling declares _x as a text of 2^40 bytes.
func doubling() string {
	var b strings.Builder
	b.WriteString("_x0: \"xx\"\n")
	for i := range 40 {
		fmt.Fprintf(&b, "_x%d: _x%d + _x%d\n", i+1, i, i)
	}
	return b.String() + "_x: _x40\n"
}
