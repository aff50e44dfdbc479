package localhub_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub"
)

// archives are the addresses at which the API tells of an artifact and of the logs of one run.
func (w *world) archives(zip []byte) (artifact, logs string) {
	w.t.Helper()
	_, err := w.hub.AddWorkflow("acme/ops", localhub.Workflow{Name: "Deploy", Path: ".github/workflows/deploy.yml"})
	if err == nil {
		_, err = w.user("alice").Actions.CreateWorkflowDispatchEventByFileName(w.t.Context(), "acme", "ops", "deploy.yml", github.CreateWorkflowDispatchEventRequest{Ref: "main"})
	}
	runs, more := w.hub.Store().WorkflowRuns("acme/ops")
	if err != nil || more != nil || len(runs) != 1 {
		w.t.Fatalf("%v, %v, %v", runs, err, more)
	}
	now := w.hub.Store().Now()
	err = w.hub.DriveRun("acme/ops", runs[0].ID, localhub.By{Login: "alice", Base: w.url}, localhub.RunStep{Status: "completed", Conclusion: "success",
		Artifacts: []localhub.Artifact{{Name: "out", Zip: zip}}, Jobs: []localhub.Job{{Name: "deploy", Status: "completed", Conclusion: "success", Started: now, Completed: now, Log: "done"}}})
	artifacts, more := w.hub.Store().Artifacts("acme/ops", runs[0].ID)
	if err != nil || more != nil || len(artifacts) != 1 {
		w.t.Fatalf("%v, %v, %v", artifacts, err, more)
	}
	api := w.url + "/api/v3/repos/acme/ops/actions/"
	return fmt.Sprintf("%sartifacts/%d/zip", api, artifacts[0].ID), fmt.Sprintf("%sruns/%d/logs", api, runs[0].ID)
}

// ask asks one address, and follows nothing.
func (w *world) ask(address, token string) (status int, location, body string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// TestStorage fetches an artifact and the logs of a run as clients of GitHub have to: the API names an address, which is signed,
// works for a minute, and takes no credential.
func TestStorage(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	w := openWith(t, localhub.Config{Dir: t.TempDir(), Seed: seed(""), Now: func() time.Time { return now }})
	zip := "PK\x05\x06" + string(make([]byte, 18))
	artifact, logs := w.archives([]byte(zip))
	if status, _, _ := w.ask(artifact, ""); status != http.StatusNotFound {
		t.Errorf("without a credential the API answers %d", status)
	}
	status, at, body := w.ask(artifact, "alice-token")
	if status != http.StatusFound || !strings.HasPrefix(at, w.url+"/_storage/acme/ops/artifacts/") || body != "" {
		t.Fatalf("%d, %q, %q", status, at, body)
	}
	if status, _, body := w.ask(at, ""); status != http.StatusOK || body != zip {
		t.Errorf("%d, %q", status, body)
	}
	_, atLogs, _ := w.ask(logs, "alice-token")
	if status, _, body := w.ask(atLogs, ""); status != http.StatusOK || !strings.HasPrefix(body, "PK") {
		t.Errorf("%d, %q", status, body)
	}
	path, query, _ := strings.Cut(at, "?")
	pathLogs, _, _ := strings.Cut(atLogs, "?")
	for name, c := range map[string]struct {
		address, token string
		status         int
	}{
		"with a credential":             {at, "alice-token", http.StatusUnauthorized},
		"with nobody's":                 {at, "x", http.StatusUnauthorized},
		"not signed":                    {path, "", http.StatusForbidden},
		"signed for something else":     {pathLogs + "?" + query, "", http.StatusForbidden},
		"for longer than it was signed": {path + "?" + strings.Replace(query, "se=1", "se=2", 1), "", http.StatusForbidden},
		"nothing that is stored":        {w.url + "/_storage/x?" + query, "", http.StatusForbidden},
	} {
		if status, _, body := w.ask(c.address, c.token); status != c.status || strings.Contains(body, "PK") {
			t.Errorf("%s: %d, %q", name, status, body)
		}
	}
	now = now.Add(time.Minute)
	if status, _, _ := w.ask(at, ""); status != http.StatusForbidden {
		t.Errorf("after a minute: %d", status)
	}
}
