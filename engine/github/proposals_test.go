package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/proposal"
)

func TestProposals(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("GET "+repo+"/pulls", 200, `[
		{"number": 1, "base": {"ref": "main"}, "head": {"ref": "fix", "sha": "aa", "repo": {"full_name": "acme/ops"}}},
		{"number": 2, "base": {"ref": "main"}, "head": {"ref": "incident/x", "sha": "bb", "repo": {"full_name": "mallory/ops"}}},
		{"number": 3, "base": {"ref": "main"}, "head": {"ref": "lost", "sha": "cc", "repo": null}},
		{"number": 4, "base": {"ref": "incident/x"}, "head": {"ref": "edit/y", "sha": "dd", "repo": {"full_name": "acme/ops"}}},
		{"number": 5, "base": {"ref": "feature"}, "head": {"ref": "fix", "sha": "ee", "repo": {"full_name": "acme/ops"}}}]`)
	got, err := c.Proposals(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []proposal.Pull{{Number: 1, Head: "aa", Branch: "fix"}, {Number: 2, Head: "bb", Branch: "incident/x", Fork: true}, {Number: 3, Head: "cc", Branch: "lost", Fork: true},
		{Number: 4, Head: "dd", Branch: "edit/y", Base: "incident/x"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if q := s.last("GET " + repo + "/pulls").query; !strings.Contains(q, "state=open") {
		t.Errorf("asked with %s", q)
	}
}

func TestChanges(t *testing.T) {
	s := newStage(t)
	c := s.client()
	const at = `"contents_url": "https://api.github.com/repos/acme/ops/contents/x?ref=aa"`
	s.say("GET "+repo+"/pulls/1/files", 200, `[{"filename": "a", "status": "added", `+at+`}, {"filename": "b", "status": "removed"},
		{"filename": "d", "previous_filename": "c", "status": "renamed", `+at+`}, {"filename": "e", "status": "modified", "changes": 2, `+at+`},
		{"filename": "f", "status": "modified", `+at+`}, {"filename": "g", "status": "changed", `+at+`}]`)
	got, err := c.Changes(context.Background(), proposal.Pull{Number: 1, Head: "aa"})
	want := []proposal.Change{{Path: "a"}, {Path: "b", Gone: true}, {Path: "c", Gone: true}, {Path: "d"}, {Path: "e"}, {Path: "f", Mode: true}, {Path: "g", Mode: true}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	full := "[" + strings.TrimSuffix(strings.Repeat(`{"filename": "a", "status": "added", `+at+`},`, 100), ",") + "]"
	s.say("GET "+repo+"/pulls/2/files", 200, full)
	if _, err := c.Changes(context.Background(), proposal.Pull{Number: 2, Head: "aa"}); !errors.Is(err, proposal.ErrTooLarge) {
		t.Errorf("more than is listed: %v", err)
	}
}

// TestChangesOfThatHead: what is listed of another head, pushed in between, is not taken for what this one changes.
func TestChangesOfThatHead(t *testing.T) {
	s := newStage(t)
	c := s.client()
	pull := proposal.Pull{Number: 1, Head: "aa"}
	s.say("GET "+repo+"/pulls/1/files", 200, `[{"filename": "README.md", "status": "modified", "changes": 1, "contents_url": "https://api.github.com/repos/acme/ops/contents/README.md?ref=bb"}]`)
	if got, err := c.Changes(context.Background(), pull); !errors.Is(err, errMoved) {
		t.Errorf("the files of another head: %v, %v", got, err)
	}
	for name, listed := range map[string]string{"nothing": `[]`, "only a file that is gone": `[{"filename": "README.md", "status": "removed"}]`} {
		s.say("GET "+repo+"/pulls/1/files", 200, listed)
		s.say("GET "+repo+"/compare/main...aa", 200, `{"files": [{"filename": "runbooks/a.cue", "status": "modified", "changes": 1}]}`)
		got, err := c.Changes(context.Background(), pull)
		if d := cmp.Diff([]proposal.Change{{Path: "runbooks/a.cue"}}, got); d != "" || err != nil {
			t.Errorf("%s is listed: %s %v", name, d, err)
		}
	}
	s.say("GET "+repo+"/compare/main...aa", 200, `{"files": [`+strings.TrimSuffix(strings.Repeat(`{"filename": "a", "status": "removed"},`, 300), ",")+`]}`)
	if _, err := c.Changes(context.Background(), pull); !errors.Is(err, proposal.ErrTooLarge) {
		t.Errorf("more than is compared: %v", err)
	}
}

func TestVetted(t *testing.T) {
	for body, want := range map[string]bool{
		`{"app": {"id": 77}, "external_id": "vet/2", "status": "completed"}`:                         true,
		`{"app": {"id": 77}, "external_id": "vet/2", "status": "in_progress"}`:                       false, // it was cut off
		`{"app": {"id": 78}, "external_id": "vet/2", "status": "completed"}`:                         false,
		`{"app": {"id": 77}, "external_id": "20261122-x/pullbook/failure/1", "status": "completed"}`: false,
	} {
		s := newStage(t)
		c := s.client()
		s.say("GET "+repo+"/commits/aa/check-runs", 200, `{"total_count": 1, "check_runs": [`+body+`]}`)
		if got, err := c.Vetted(context.Background(), "aa"); got != want || err != nil {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

// TestReport: fifty annotations go with one request. With more the check is in progress until the last of them is there.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, "POST completed failure 0"},
		{50, "POST completed failure 50"},
		{51, "POST in_progress  50, PATCH completed failure 1"},
		{120, "POST in_progress  50, PATCH   50, PATCH completed failure 20"},
	} {
		s := newStage(t)
		client := s.client()
		s.say("POST "+repo+"/check-runs", 201, `{"id": 5}`)
		s.say("PATCH "+repo+"/check-runs/5", 200, `{"id": 5}`)
		s.forget()
		r := proposal.Check{Pull: proposal.Pull{Number: 1, Head: "aa"}, Conclusion: "failure", Title: "mistakes", Summary: "many"}
		for i := range c.n {
			r.Annotations = append(r.Annotations, proposal.Annotation{Path: "a.cue", Line: i + 1, Title: "steps.a", Text: "is wrong"})
		}
		if err := client.Report(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		var got []string
		lines := map[float64]bool{}
		s.mu.Lock()
		for _, a := range s.asked {
			if !strings.Contains(a.line, "check-runs") {
				continue
			}
			method, _, _ := strings.Cut(a.line, " ")
			output, _ := a.body["output"].(map[string]any)
			notes, _ := output["annotations"].([]any)
			for _, n := range notes {
				lines[n.(map[string]any)["start_line"].(float64)] = true
			}
			got = append(got, fmt.Sprintf("%s %s %s %d", method, said(a.body["status"]), said(a.body["conclusion"]), len(notes)))
			if method == http.MethodPost && (a.body["name"] != "pullbook" || a.body["head_sha"] != "aa" || a.body["external_id"] != "vet/2") {
				t.Errorf("posted %v", a.body)
			}
		}
		s.mu.Unlock()
		if strings.Join(got, ", ") != c.want || len(lines) != c.n {
			t.Errorf("%d annotations: %q with %d lines, want %q", c.n, got, len(lines), c.want)
		}
	}
}

func said(v any) string {
	s, _ := v.(string)
	return s
}
