package openapitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// told collects what Wrap says of one exchange in place of failing.
type told struct {
	testing.TB
	list []string
}

func (c *told) Helper() {}

func (c *told) Errorf(format string, args ...any) {
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

type exchangeCase struct {
	method, path, body string
	status             int
	answer             string
	want               string // part of the one violation; empty: none
	hostile            bool
}

const milestone = `{"url":"http://h/m","html_url":"http://h/m","labels_url":"http://h/m","id":1,"node_id":"x","number":1,"state":"open",
	"title":"t","description":null,"creator":null,"open_issues":0,"closed_issues":0,"created_at":"2026-11-22T10:00:00Z",
	"updated_at":"2026-11-22T10:00:00Z","closed_at":null,"due_on":null}`

func TestViolations(t *testing.T) {
	Require(t)
	const list = "/api/v3/repos/o/r/milestones"
	for name, c := range map[string]exchangeCase{
		"all as described":  {"POST", list, `{"title":"t"}`, 201, milestone, "", false},
		"a required field":  {"POST", list, `{"state":"open"}`, 201, milestone, `issues/create-milestone: request /title`, false},
		"an enumeration":    {"POST", list, `{"title":"t","state":"ajar"}`, 201, milestone, `request /state`, false},
		"a type":            {"POST", list, `{"title":7}`, 201, milestone, `request /title: value must be a string; value 7`, false},
		"a hostile request": {"POST", list, `{"title":7}`, 422, `{"message":"m","documentation_url":"d"}`, "", true},
		"hostile, accepted": {"POST", list, `{"title":7}`, 201, milestone, `request /title`, true},
		"a query parameter": {"GET", list + "?per_page=x", "", 200, "[]", `per_page`, false},
		"an unknown one":    {"GET", list + "?sate=open", "", 200, "[]", `no query parameter "sate"`, false},
		"a path parameter":  {"GET", list + "/one", "", 404, `{"message":"m"}`, `milestone_number`, false},
		"an answer's field": {"POST", list, `{"title":"t"}`, 201, strings.Replace(milestone, `"open_issues":0`, `"open_issues":"0"`, 1), `answer /open_issues`, false},
		"an answer's time":  {"POST", list, `{"title":"t"}`, 201, strings.Replace(milestone, "T10", " 10", 1), `answer /created_at`, false},
		"an address":        {"POST", list, `{"title":"t"}`, 201, strings.Replace(milestone, "http://h/m", "/m", 1), `answer /url`, false},
		"a missing field":   {"POST", list, `{"title":"t"}`, 201, strings.Replace(milestone, `"due_on":null`, `"x":1`, 1), `answer /due_on: property "due_on" is missing`, false},
		"a status":          {"POST", list, `{"title":"t"}`, 200, milestone, `status is not supported`, false},
		"a common refusal":  {"POST", list, `{"title":"t"}`, 403, `{"message":"m","documentation_url":"d"}`, "", false},
		"its form":          {"POST", list, `{"title":"t"}`, 403, `{"message":7,"documentation_url":"d"}`, `answer /message: value must be a string`, false},
		"no such operation": {"GET", "/api/v3/frob", "", 200, "{}", "no such operation", false},
		"and none here":     {"GET", "/api/v3/frob", "", 404, "{}", "", false},
		"an alternative":    {"GET", "/api/v3/users/x", "", 200, `{"login":"x"}`, "user_view_type", false},
		"refs with slashes": {"GET", "/api/v3/repos/o/r/git/ref/heads/incident/1", "", 200, `{"ref":"r","node_id":"n","url":"http://h","object":{"type":"commit","sha":"` + strings.Repeat("a", 40) + `","url":"x"}}`, `answer /object/url`, false},
		"not the API":       {"GET", "/acme/ops", "", 200, "text", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			list := violationsOf(t, c)
			if c.want == "" && len(list) > 0 || c.want != "" && (len(list) != 1 || !strings.Contains(list[0], c.want)) {
				t.Errorf("want %q, got %q", c.want, list)
			}
		})
	}
}

func violationsOf(t *testing.T, c exchangeCase) []string {
	t.Helper()
	col := &told{TB: t}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != c.body {
			t.Errorf("the handler read %q, %v", got, err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(c.status)
		io.WriteString(w, c.answer)
	})
	wrapped := Wrap(col, inner)
	if c.hostile {
		wrapped = WrapHostile(col, inner)
	}
	rec := httptest.NewRecorder()
	wrapped.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
	if rec.Code != c.status || rec.Body.String() != c.answer {
		t.Errorf("the client got %d %s", rec.Code, rec.Body)
	}
	return col.list
}

// Each pardon is for something that the description still says.
func TestPardonsName(t *testing.T) {
	Require(t)
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	for path, item := range d.paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var op struct{ OperationID string }
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			known[op.OperationID] = true
		}
	}
	for _, p := range pardons() {
		if !known[p.operation] || p.reason == "" {
			t.Errorf("%q is no operation, or %q no reason", p.operation, p.reason)
		}
	}
}
