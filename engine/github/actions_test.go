package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	shop     = "/repos/acme/shop"
	deploy   = shop + "/actions/workflows/deploy.yml"
	runSeven = shop + "/actions/runs/7"
)

func deployment() Workflow { return Workflow{Repo: "acme/shop", File: "deploy.yml", Ref: "main"} }

func runJSON(id int, actor int, title, more string) string {
	return fmt.Sprintf(`{"id": %d, "html_url": "https://hub/runs/%d", "run_attempt": 1, "head_sha": "c0ffee", "status": "queued", "display_title": %q, "actor": {"id": %d}%s}`,
		id, id, title, actor, more)
}

func TestWorkflowFile(t *testing.T) {
	s := newStage(t)
	c := s.client()
	file := "GET " + shop + "/contents/.github/workflows/deploy.yml"
	look := func() string {
		t.Helper()
		blob, problem, err := c.WorkflowFile(t.Context(), deployment())
		if err != nil || (blob == "") == (problem == "") {
			t.Errorf("%q, %q, %v", blob, problem, err)
		}
		return blob + problem
	}
	if got := look(); got != "there is no workflow deploy.yml at main of acme/shop" {
		t.Error(got)
	}
	s.say(file, 200, `{"type": "file", "sha": "b10b"}`)
	if got := look(); !strings.HasPrefix(got, "acme/shop does not know the workflow deploy.yml") {
		t.Error(got)
	}
	s.say("GET "+deploy, 200, `{"id": 1, "state": "disabled_manually"}`)
	if got := look(); got != "the workflow deploy.yml of acme/shop is disabled manually" {
		t.Error(got)
	}
	s.say("GET "+deploy, 200, `{"id": 1, "state": "active"}`)
	if got := look(); got != "b10b" || s.last(file).query != "ref=main" {
		t.Error(got, s.last(file).query)
	}
	s.say("GET "+deploy, 500, `{}`)
	if _, _, err := c.WorkflowFile(t.Context(), deployment()); err == nil {
		t.Error("a hub that fails has said something")
	}
	for _, repo := range []string{"other/shop", "acme/..", "acme"} {
		if _, _, err := c.WorkflowFile(t.Context(), Workflow{Repo: repo}); err == nil || !strings.Contains(err.Error(), "installed on acme") {
			t.Errorf("%s: %v", repo, err)
		}
	}
}

func TestDispatchWorkflow(t *testing.T) {
	s := newStage(t)
	c := s.client()
	line := "POST " + deploy + "/dispatches"
	for _, test := range []struct {
		status  int
		body    string
		want    Run
		refused bool
		fails   bool
	}{
		{200, `{"workflow_run_id": 7, "run_url": "x", "html_url": "https://hub/runs/7"}`, Run{ID: 7, URL: "https://hub/runs/7"}, false, false},
		{204, "", Run{}, false, false},
		{422, `{"message": "Unexpected inputs provided: [\"x\"]"}`, Run{}, true, true},
		{404, `{}`, Run{}, true, true},
		{502, ``, Run{}, false, true},
		{200, `{"workflow_run_`, Run{}, false, true},
	} {
		s.say(line, test.status, test.body)
		got, err := c.DispatchWorkflow(t.Context(), deployment(), map[string]string{"host": "web-1"})
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.fails || Refused(err) != test.refused {
			t.Errorf("%d %s: %s %v, refused %v", test.status, test.body, diff, err, Refused(err))
		}
	}
	sent := s.last(line).body
	if sent["ref"] != "main" || sent["return_run_details"] != true || sent["inputs"].(map[string]any)["host"] != "web-1" {
		t.Error(sent)
	}
	if names := s.last("POST /app/installations/99/access_tokens").body["repositories"].([]any); len(names) != 1 || names[0] != "shop" {
		t.Errorf("the token is for %v", names)
	}
}

// TestFindRun finds the App's own run by the key in its title: not one of which the key is only the beginning, nor one that
// somebody else has called so.
func TestFindRun(t *testing.T) {
	s := newStage(t)
	c := s.client()
	const key = "20261122-aaaaaaaaaa/deploy/1"
	find := func(runs ...string) (Run, error) {
		s.say("GET "+deploy+"/runs", 200, `{"workflow_runs": [`+strings.Join(runs, ",")+`]}`)
		return c.FindRun(t.Context(), deployment(), key)
	}
	others := []string{runJSON(3, 500, "Deploy "+key+"0", ""), runJSON(4, 666, "Deploy "+key, ""), runJSON(5, 500, "Deploy x"+key, ""), runJSON(6, 500, "Deploy", "")}
	if _, err := find(others...); !errors.Is(err, ErrNoRun) {
		t.Error(err)
	}
	if got, err := find(append(others, runJSON(7, 500, "Deploy ("+key+"0 "+key+")", ""))...); err != nil || got.ID != 7 || got.Commit != "c0ffee" {
		t.Errorf("%+v, %v", got, err)
	}
	if q := s.last("GET " + deploy + "/runs").query; !strings.Contains(q, "event=workflow_dispatch") {
		t.Error(q)
	}
}

func TestRunsAndCancel(t *testing.T) {
	s := newStage(t)
	c := s.client()
	if _, err := c.WorkflowRun(t.Context(), "acme/shop", 7); !errors.Is(err, ErrNoRun) {
		t.Error(err)
	}
	s.say("GET "+runSeven, 200, strings.Replace(runJSON(7, 500, "x", `, "conclusion": "failure", "updated_at": "2026-11-22T03:00:05Z"`), "queued", "completed", 1))
	if got, err := c.WorkflowRun(t.Context(), "acme/shop", 7); err != nil || got.Conclusion != "failure" || got.Ended.Second() != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	s.say("GET "+runSeven+"/jobs", 200, `{"total_count": 1, "jobs": [{"name": "de\nploy", "conclusion": "failure"}]}`)
	if got, err := c.RunJobs(t.Context(), "acme/shop", 7); err != nil || len(got) != 1 || got[0].Name != "de ploy" {
		t.Errorf("%+v, %v", got, err)
	}
	for status, fails := range map[int]bool{202: false, 409: false, 403: true} {
		s.say("POST "+runSeven+"/cancel", status, `{"message": "so"}`)
		if err := c.CancelRun(t.Context(), "acme/shop", 7); (err != nil) != fails {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// storageOf is where the hub sends its readers on; it notes the credential that it was given.
func storageOf(t *testing.T, credential *string) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*credential = r.Header.Get("Authorization")
		if r.URL.Path == "/endless" {
			io.WriteString(w, strings.Repeat("0", maxArchive+1))
			return
		}
		io.WriteString(w, "zipped")
	}))
	t.Cleanup(s.Close)
	return s
}

// notAsked are addresses that no archive is fetched from, though most would answer.
func notAsked(t *testing.T, storage *httptest.Server) []string {
	plain := httptest.NewServer(storage.Config.Handler)
	t.Cleanup(plain.Close)
	return []string{plain.URL, "", "file:///etc/passwd", strings.Replace(storage.URL, "://", "://u:p@", 1)}
}

// TestArchives fetches from where the hub sends its readers on, without a credential, and not from just anywhere.
func TestArchives(t *testing.T) {
	s := newStage(t)
	c := s.client()
	const artifact = shop + "/actions/artifacts/3/zip"
	since := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	list := func(more string) {
		s.say("GET "+runSeven+"/artifacts", 200, `{"total_count": 3, "artifacts": [{"id": 1, "name": "out", "created_at": "2026-11-22T02:59:59Z"},
			{"id": 2, "name": "other", "created_at": "2026-11-22T03:00:09Z"}, {"id": 3, "name": "out", "created_at": "2026-11-22T03:00:00Z"`+more+`}]}`)
	}
	fetch := func() string {
		t.Helper()
		got, problem, err := c.RunArtifact(t.Context(), "acme/shop", 7, "out", since)
		if err != nil {
			return err.Error()
		}
		return string(got) + problem
	}
	credential := "none"
	storage := storageOf(t, &credential)
	c.wire.base = storage.Client().Transport
	to := func(address string) {
		s.on("GET "+artifact, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", address); w.WriteHeader(302) })
	}
	list("")
	to(storage.URL + "/signed?sig=1")
	if got := fetch(); got != "zipped" || credential != "" {
		t.Errorf("%s with the credential %q", got, credential)
	}
	to(storage.URL + "/endless") // whatever the list says of its size
	if got := fetch(); got != "its artifact out is larger than 32 MiB" {
		t.Errorf("of an endless archive: %.100s", got)
	}
	credential = "nobody asked"
	for _, address := range notAsked(t, storage) {
		to(address)
		if got := fetch(); !strings.Contains(got, "no readable answer") || credential != "nobody asked" {
			t.Errorf("%q: %s, with the credential %q", address, got, credential)
		}
	}
	s.say("GET "+artifact, 200, "whole")
	if got := fetch(); got != "whole" {
		t.Error(got)
	}
	s.say("GET "+artifact, 410, `{"message": "Artifact has expired"}`)
	if got := fetch(); got != "its artifact out is not there any more" {
		t.Error(got)
	}
	for more, want := range map[string]string{`, "expired": true`: "its artifact out has expired", `, "size_in_bytes": 33554433`: "its artifact out is larger than 32 MiB"} {
		if list(more); fetch() != want {
			t.Errorf("%s: %s", want, fetch())
		}
	}
	since = since.Add(time.Second)
	if got := fetch(); got != "it left no artifact out" {
		t.Error(got)
	}
	if _, problem, err := c.RunLogs(t.Context(), "acme/shop", 7); err != nil || problem != "its archive of logs is not there any more" {
		t.Error(problem, err)
	}
}

// TestMayWrite asks by login and id: a name that changed hands, an App, and nobody may not.
func TestMayWrite(t *testing.T) {
	s := newStage(t)
	c := s.client()
	line := "GET " + shop + "/collaborators/alice/permission"
	may := func(id int64, login string) bool {
		t.Helper()
		got, err := c.MayWrite(t.Context(), "acme/shop", id, login)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if may(101, "alice") {
		t.Error("somebody who is not known may write")
	}
	s.say(line, 200, `{"permission": "read", "user": `+user(101, "alice")+`}`)
	if may(101, "alice") {
		t.Error("a reader may write")
	}
	s.say(line, 200, `{"permission": "write", "user": `+user(101, "alice")+`}`)
	if !may(101, "alice") || may(102, "alice") || may(0, "alice") || may(101, "../alice") {
		t.Error("it is not asked by login and id")
	}
	s.say(line, 500, `{}`)
	if _, err := c.MayWrite(t.Context(), "acme/shop", 101, "alice"); err == nil {
		t.Error("a hub that fails has said something")
	}
}
