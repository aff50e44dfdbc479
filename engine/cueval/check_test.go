package cueval

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestCheckAll: each runbook is checked by itself. One that stops its child costs the others nothing, whatever stands before
// or behind it.
func TestCheckAll(t *testing.T) {
	files := map[string][]byte{organisationFile: []byte("teams: sre: hub: \"acme/sre\"\n")}
	batch := runbook.Batch{Files: files, Check: []string{organisationFile}}
	for i := range 9 {
		name := fmt.Sprintf("runbooks/r%d.cue", i)
		files[name] = fmt.Appendf(nil, "title: \"t\"\nmatch: labels: n: \"%d\"\nsteps: s: {risk: \"read\", exec: {command: [\"./look\"], files: [\"a\", \"b/c\"]}}\n", i)
		batch.Check = append(batch.Check, name)
	}
	files["runbooks/r4.cue"] = []byte("title: \"t\"\nsteps: s: exec: comand: [\"x\"]\n")
	hostile := "title: \"\\(len(_a28))\"\n_a0: \"" + strings.Repeat("x", 64) + "\"\n"
	for i := range 28 {
		hostile += fmt.Sprintf("_a%d: _a%d + _a%d\n", i+1, i, i)
	}
	files["runbooks/r6.cue"] = []byte(hostile + "steps: s: manual: task: \"x\"\n")
	batch.Check, batch.Match = batch.Check[:len(batch.Check)-1], batch.Check[len(batch.Check)-1:]
	e := inChild(t, Config{})
	got, err := e.CheckAll(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 10 {
		t.Fatalf("%d answers", len(got))
	}
	for i, c := range got {
		name := organisationFile
		if i > 0 {
			name = fmt.Sprintf("runbooks/r%d.cue", i-1)
		}
		switch {
		case c.Runbook != name:
			t.Errorf("the %dth answer is about %s", i, c.Runbook)
		case name == "runbooks/r4.cue":
			if len(c.Problems) != 1 || c.Problems[0].Line != 2 || c.Problems[0].Hint != "did you mean command?" {
				t.Errorf("%s: %v", name, c.Problems)
			}
		case name == "runbooks/r6.cue":
			if len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, "evaluation took too") {
				t.Errorf("%s: %v", name, c.Problems)
			}
		case len(c.Problems) > 0:
			t.Errorf("%s: %v", name, c.Problems)
		case i > 0:
			want := runbook.Constraint{Field: "labels.n", Want: runbook.Condition{Op: runbook.Equals, Text: fmt.Sprint(i - 1)}, At: runbook.Spot{File: name, Line: 2, Column: 16}}
			if f := c.Facts; !f.Matches || f.At != (runbook.Spot{File: name, Line: 2, Column: 1}) || len(f.Match) != 1 || fmt.Sprint(f.Match[0]) != fmt.Sprint(want) {
				t.Errorf("%s: %+v", name, c.Facts)
			}
			if uses := c.Facts.Uses; i < 9 && (len(uses) != 3 || uses[2].File.Path != "b/c" || uses[2].Path != "steps.s.exec.files.1") {
				t.Errorf("%s: %+v", name, uses)
			}
		}
	}
	if _, err := New(Config{Child: []string{"/bin/false"}, Wall: time.Second}).CheckAll(t.Context(), batch); err == nil || errors.Is(err, ErrDeadline) {
		t.Errorf("a child that fails: %v", err)
	}
}

// TestConditions: what a match says is read as it was written, wherever the schema narrows it.
func TestConditions(t *testing.T) {
	text := `title: "t"
import "strings"
_prod: =~"^prod-"
match: {
	name: "A" | "B"
	labels: {env: _prod & !="prod-x", team: !~"^x", any: string, called: strings.HasPrefix("a")}
}
steps: s: manual: task: "x"
`
	text = strings.Replace(text, "title: \"t\"\nimport \"strings\"\n", "import \"strings\"\ntitle: \"t\"\n", 1)
	c := checkup(map[string][]byte{"runbooks/r.cue": []byte(text)}, "runbooks/r.cue")
	if len(c.Problems) > 0 {
		t.Fatal(c.Problems)
	}
	var got []string
	for _, k := range c.Facts.Match {
		got = append(got, fmt.Sprintf("%s %+v", k.Field, k.Want))
	}
	want := []string{
		`name {Op:| Text: Parts:[{Op:== Text:A Parts:[]} {Op:== Text:B Parts:[]}]}`,
		`labels.env {Op:& Text: Parts:[{Op:=~ Text:^prod- Parts:[]} {Op:!= Text:prod-x Parts:[]}]}`,
		`labels.team {Op:!~ Text:^x Parts:[]}`,
		`labels.any {Op:& Text: Parts:[]}`,
		`labels.called {Op: Text: Parts:[]}`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	alone := matchOf(cuecontext.New(), map[string][]byte{"runbooks/r.cue": []byte(text)}, "runbooks/r.cue")
	if len(alone.Problems) > 0 || len(alone.Facts.Match) != len(want) || !alone.Facts.Matches || alone.Facts.At != c.Facts.At {
		t.Errorf("%+v", alone)
	}
}

// TestSecretsInClear: each line is the beginning of a step, or of a file, with the secret that vet finds in it.
func TestSecretsInClear(t *testing.T) {
	long := strings.Repeat("a1B2", 12)
	for line, want := range map[string]string{
		`http: {url: "https://x.example", headers: Authorization: "Bearer abcdef"}`:                       "3:58: steps.s.http.headers.Authorization: the secret Authorization stands here in clear",
		`http: {url: "https://x.example", headers: Authorization: "Bearer $TOKEN", secrets: ["TOKEN"]}`:   "",
		`http: {url: "https://alice:hunter2@x.example"}`:                                                  "3:13: steps.s.http.url: a password in an address stands here in clear",
		`exec: {command: ["x"], env: DB_PASSWORD: "hunter2"}`:                                             "3:42: steps.s.exec.env.DB_PASSWORD: the secret DB_PASSWORD stands here in clear",
		`exec: {command: ["x"], env: {DB_PASSWORD: "/run/secrets/db", TOKEN_FILE: "abc", TOKEN: "none"}}`: "",
		`exec: {command: ["x", "--api-key=abcdef"]}`:                                                      "3:23: steps.s.exec.command: a secret stands here in clear",
		`exec: {command: ["x", "` + "ghp_" + long[:36] + `"]}`:                                            "3:23: steps.s.exec.command: a token of GitHub stands here in clear",
		`exec: {command: ["x"], stdin: "key \(alert.name) ` + "AKIA" + strings.Repeat("A1", 8) + `"}`:     "3:48: steps.s.exec.stdin: an access key of AWS stands here in clear",
		`manual: task: """` + "\n\t-----BEGIN RSA PRIVATE KEY-----\n\tx\n\t" + `"""`:                      "3:15: steps.s.manual.task: a private key stands here in clear",
		`terraform: {dir: "d", vars: {db_password: "hunter2", size: 1}}`:                                  "3:43: steps.s.terraform.vars.db_password: the secret db_password stands here in clear",
		`manual: task: "see https://x.example:8080/@alice and user:password"`:                             "",
	} {
		text := "title: \"t\", alert: _\nsteps: s: {\n" + line + "\n}\n"
		c := checkup(map[string][]byte{"runbooks/r.cue": []byte(text)}, "runbooks/r.cue")
		got := ""
		for _, p := range c.Problems {
			got += strings.TrimPrefix(p.String(), "runbooks/r.cue:")
		}
		if want != "" {
			want += "; " + clearHint
		}
		if got != want {
			t.Errorf("%s\ngives %s\nwant  %s", text, got, want)
		}
	}
}
