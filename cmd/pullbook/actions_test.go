package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullbook/pullbook/runbooks/starter"
)

// actionsDir holds this project's actions.
var actionsDir = filepath.Join("..", "..", ".github", "actions")

// played is what one script of an action did, as the runner sees it.
type played struct {
	status   int
	cpu      time.Duration
	log      string
	commands []string // that the runner takes from the log
	outputs  map[string]string
	summary  string
}

// playScript runs a script of an action with variables, and nothing else of this process's but the search path.
func playScript(t *testing.T, script string, env ...string) played {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "pullbook")
	if err := os.WriteFile(program, []byte("#!/bin/bash\nexec -a pullbook "+os.Args[0]+` "$@"`+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(actionsDir, script))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(path)
	cmd := exec.CommandContext(t.Context(), "bash", words...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RUNNER_TEMP=" + dir, "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "PULLBOOK=" + program,
		"GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary")}, env...)
	for _, e := range env {
		if at, ok := strings.CutPrefix(e, "PWD="); ok {
			cmd.Dir = at
		}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	p := played{status: cmd.ProcessState.ExitCode(), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), log: string(out), commands: taken(string(out))}
	text, _ := os.ReadFile(filepath.Join(dir, "summary")) // a script that failed may have none
	p.summary = string(text)
	text, _ = os.ReadFile(filepath.Join(dir, "output"))
	p.outputs = outputsOf(string(text))
	return p
}

// outputsOf are the outputs that a file of a runner gives ("Workflow commands for GitHub Actions", multiline strings).
func outputsOf(text string) map[string]string {
	out := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if name, end, ok := strings.Cut(lines[i], "<<"); ok {
			last := i + 1 + slices.Index(lines[i+1:], end)
			out[name], i = strings.Join(lines[i+1:last], "\n"), last
		} else if name, value, ok := strings.Cut(lines[i], "="); ok {
			out[name] = value
		}
	}
	return out
}

// taken are the commands that a runner takes from a log ("Workflow commands for GitHub Actions"): lines that begin with ::, blanks
// aside, and the older ##[name], anywhere in a line; none while they are stopped.
func taken(log string) (out []string) {
	command, older := regexp.MustCompile(`^::([a-z-]+)[ :]`), regexp.MustCompile(`##\[([a-z-]+)`)
	stopped := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if stopped != "" {
			if line == "::"+stopped+"::" {
				stopped = ""
			}
			continue
		}
		if token, ok := strings.CutPrefix(line, "::stop-commands::"); ok {
			stopped = token
			continue
		}
		m := command.FindStringSubmatch(line)
		if m == nil { // the runner tries the older form only where the newer one does not fit (actions/runner, ActionCommandManager)
			m = older.FindStringSubmatch(line)
		}
		if m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// hostile is a text that tries to reach a runner.
const hostile = "x\n::set-output name=open::9\n::add-mask::e\n##[add-mask]e\n::stop-commands::x\n::x::\n$(touch pwned) `touch pwned` \"; touch pwned #\nopen<<EOF\n9\nEOF\n"

// ledgerOnDisk writes the first files of a ledger, and others.
func ledgerOnDisk(t *testing.T, more map[string]string) (dir string) {
	t.Helper()
	files, err := starter.Files("acme/sre")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, some := range []map[string]string{files, more} {
		for name, text := range some {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if err := writeNew(filepath.Join(dir, name), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestVetAction(t *testing.T) {
	t.Parallel()
	good := playScript(t, "vet/vet.sh", "PWD="+ledgerOnDisk(t, nil), "PATHS=runbooks\n\n")
	if good.status != 0 || good.outputs["mistakes"] != "0" || good.outputs["stories"] != "passed" || len(good.commands) != 0 || !strings.Contains(good.summary, "0 mistakes") {
		t.Errorf("a good ledger: %+v", good)
	}
	t.Logf("the own part of the action vet took %s of a processor", good.cpu.Round(time.Millisecond))
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	bad := playScript(t, "vet/vet.sh", "PATHS=runbooks", "PWD="+ledgerOnDisk(t, map[string]string{
		"runbooks/::add-mask::x.cue": "title: 3\nsteps: a: {risk: " + string(quoted) + ", exec: command: [\"true\"]}\n"}))
	if bad.status != 1 || bad.outputs["mistakes"] == "0" || bad.outputs["stories"] != "none" {
		t.Errorf("a bad ledger: %+v", bad)
	}
	if slices.ContainsFunc(bad.commands, func(c string) bool { return c != "error" }) || len(bad.commands) == 0 {
		t.Errorf("the runner takes %v from\n%s", bad.commands, bad.log)
	}
	root := ledgerOnDisk(t, nil)
	if err := os.Remove(filepath.Join(root, "runbooks/service_down.test")); err != nil {
		t.Fatal(err)
	}
	for paths, stories := range map[string]string{"runbooks": "none", ".": "none", "runbooks/service_down.cue": "none"} {
		if p := playScript(t, "vet/vet.sh", "PATHS="+paths, "PWD="+root); p.status != 0 || p.outputs["stories"] != stories || len(p.commands) != 0 {
			t.Errorf("%s without stories: %+v", paths, p)
		}
	}
	for _, paths := range []string{".", "runbooks/service_down.cue"} {
		if p := playScript(t, "vet/vet.sh", "PATHS="+paths, "PWD="+ledgerOnDisk(t, nil)); p.status != 0 || p.outputs["stories"] != "passed" {
			t.Errorf("%s: %+v", paths, p)
		}
	}
	none := playScript(t, "vet/vet.sh", "PATHS=--format=json\n::add-mask::x", "PWD="+ledgerOnDisk(t, nil))
	if none.status != 1 || !slices.Equal(none.commands, []string{"error"}) || !strings.Contains(none.summary, "Nothing was vetted") {
		t.Errorf("paths that are none: %+v", none)
	}
	lies := playScript(t, "vet/vet.sh", "PATHS=runbooks", "PWD="+ledgerOnDisk(t, map[string]string{"runbooks/service_down.test": strings.Replace(
		startedStory(t), "running", "::add-mask::", 1)}))
	if lies.status == 0 || lies.outputs["stories"] != "failed" || slices.Contains(lies.commands, "add-mask") {
		t.Errorf("a story that lies: %+v", lies)
	}
}

func startedStory(t *testing.T) string {
	t.Helper()
	files, err := starter.Files("acme/sre")
	if err != nil {
		t.Fatal(err)
	}
	return files["runbooks/service_down.test"]
}

func TestStepAction(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out put.json")
	if err := os.WriteFile(file, []byte(`{"from": "a file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env   []string
		wants string // of output.json; empty: it is refused
		says  string
	}{
		"values":       {env: []string{`VALUES={"errors": 3}`}, wants: `{"errors": 3}`},
		"a file":       {env: []string{"FILE=" + file}, wants: `{"from": "a file"}`},
		"foreign text": {env: []string{`VALUES={"log": "$(touch pwned)\n::add-mask::x"}`}, wants: `{"log": "$(touch pwned)\n::add-mask::x"}`},
		"nothing":      {says: "not one JSON object"},
		"a list":       {env: []string{"VALUES=[1]"}, says: "not one JSON object"},
		"two":          {env: []string{"VALUES={} {}"}, says: "not one JSON object"},
		"hostile":      {env: []string{"VALUES=" + hostile}, says: "not one JSON object"},
		"both":         {env: []string{"VALUES={}", "FILE=" + file}, says: "both are given"},
		"no file":      {env: []string{"FILE=" + file + ".not"}, says: "names no file"},
		"too large":    {env: []string{"VALUES=" + `{"a": "` + strings.Repeat("x", 100_000) + `"` + strings.Repeat(" ", 1) + "}", "FILE=/dev/zero"}, says: "names no file"},
	} {
		t.Run(name, func(t *testing.T) {
			p := playScript(t, "step/step.sh", c.env...)
			text, _ := os.ReadFile(filepath.Join(p.outputs["dir"], "output.json")) // where it is refused there is none
			if c.wants != "" && (p.status != 0 || string(text) != c.wants) || c.wants == "" && (p.status == 0 || !strings.Contains(p.log, c.says) || p.outputs["dir"] != "") {
				t.Errorf("%+v put out %s", p, text)
			}
		})
	}
	large := filepath.Join(t.TempDir(), "large.json")
	if err := os.WriteFile(large, []byte(`{"a": "`+strings.Repeat("x", 256<<10)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := playScript(t, "step/step.sh", "FILE="+large); p.status == 0 || !strings.Contains(p.log, "larger than 256 KiB") {
		t.Errorf("a large output: %+v", p)
	}
}

func TestOpenAction(t *testing.T) {
	t.Parallel()
	var got, auth, at string
	status, workflow := http.StatusNoContent, "active"
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/repos/acme/ops/actions/workflows/pullbook-advance.yml" {
			fmt.Fprintf(w, `{"state": %q}`, workflow)
			return
		}
		body, _ := io.ReadAll(r.Body)
		got, auth, at = string(body), r.Header.Get("Authorization"), r.URL.Path
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			fmt.Fprint(w, hostile)
		}
	}))
	defer hub.Close()
	base := []string{"GITHUB_API_URL=" + hub.URL, "LEDGER=acme/ops", "TOKEN=s3cret", "GITHUB_REPOSITORY=acme/shop", "GITHUB_WORKFLOW=" + hostile,
		"GITHUB_JOB=build", "GITHUB_REF_NAME=main", "GITHUB_SERVER_URL=https://github.com", "GITHUB_RUN_ID=7"}
	own := playScript(t, "open/open.sh", base...)
	var event struct {
		Type    string          `json:"event_type"`
		Payload json.RawMessage `json:"client_payload"`
	}
	if err := json.Unmarshal([]byte(got), &event); err != nil || own.status != 0 || event.Type != "pullbook" || auth != "Bearer s3cret" || at != "/repos/acme/ops/dispatches" {
		t.Fatalf("%+v sent %s with %q to %s: %v", own, got, auth, at, err)
	}
	if len(own.commands) != 0 || strings.Contains(own.log, "s3cret") {
		t.Errorf("the log says %s", own.log)
	}
	if a, err := dispatched(eventFile(t, string(event.Payload))); err != nil || a.Alert.Name != "JobFailed" || a.Alert.Labels["job"] != "build" || a.Alert.Labels["workflow"] != hostile { // as data: whoever shows it defuses it
		t.Errorf("the alert is %+v, %v", a, err)
	}
	given := playScript(t, "open/open.sh", append(base, `ALERT={"name": "Down"}`, "RUNBOOK=checkout", `INPUTS={"region": "eu"}`)...)
	if err := json.Unmarshal([]byte(got), &event); err != nil {
		t.Fatal(err)
	}
	a, err := dispatched(eventFile(t, string(event.Payload)))
	if err != nil || given.status != 0 || a.Alert.Name != "Down" || a.Runbook != "checkout" || string(a.Inputs) != `{"region":"eu"}` {
		t.Errorf("%+v sent %s, which is %+v, %v", given, got, a, err)
	}
	for _, workflow = range []string{"disabled_inactivity", hostile} {
		if p := playScript(t, "open/open.sh", base...); p.status == 0 || !strings.Contains(p.log, "Nothing will come of the alert") || !slices.Equal(p.commands, []string{"error"}) {
			t.Errorf("with a workflow that is %s: %+v", workflow, p)
		}
	}
	status = http.StatusAccepted
	if p := playScript(t, "open/open.sh", append(base, "SERVER="+hub.URL+"/", `ALERT={"name": "Down"}`)...); p.status != 0 || at != "/alerts/generic" || got != `{"name": "Down"}` {
		t.Errorf("%+v sent %s to %s", p, got, at)
	}
	status = http.StatusUnprocessableEntity
	for says, env := range map[string][]string{
		"the answer was 422":  {`ALERT={"name": "Down"}`},
		"larger than what":    {`ALERT={"name": "Down", "annotations": {"a": "` + strings.Repeat("x", 66_000) + `"}}`},
		"is no JSON object w": {"ALERT=" + hostile},
		"inputs is no JSON":   {"RUNBOOK=a", "INPUTS=" + hostile},
		"inputs needs":        {"INPUTS={}"},
		"token is missing":    {"TOKEN="},
		"ledger is missing":   {"LEDGER="},
	} {
		p := playScript(t, "open/open.sh", append(slices.Clone(base), env...)...)
		if p.status == 0 || !strings.Contains(p.log, says) || !slices.Equal(p.commands, []string{"error"}) || strings.Contains(p.log, "s3cret") {
			t.Errorf("want %q of %+v", says, p)
		}
	}
}

func TestAdvanceActionSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	for says, env := range map[string][]string{
		"private key is missing":         {"SIGNING_KEY=x", "APP_ID=1"},
		"signs the ledger is missing":    {"APP_KEY=x", "APP_ID=1", "SIGNING_KEY= \n"},
		"app-id is missing":              {"APP_KEY=x", "SIGNING_KEY=x"},
		"--incident":                     {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "INCIDENT=../x", "LEDGER=acme/ops", "GITHUB_API_URL=http://127.0.0.1:1/api/v3"},
		"not of the form owner/name":     {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "LEDGER=::add-mask::x"},
		"it is not an RSA key in PEM":    {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "LEDGER=acme/ops"},
		"neither an alert nor a runbook": {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "LEDGER=acme/ops", "GITHUB_EVENT_NAME=repository_dispatch", "GITHUB_EVENT_PATH=" + eventFile(t, `{}`)},
		"GitHub takes at most 65535":     {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "LEDGER=acme/ops", "GITHUB_EVENT_NAME=repository_dispatch", "GITHUB_EVENT_PATH=" + eventFile(t, `{"alert": {"name": "`+strings.Repeat("x", 65_536)+`"}}`)},
		"unknown field \"a\\n::add-mask": {"APP_KEY=x", "SIGNING_KEY=x", "APP_ID=1", "LEDGER=acme/ops", "GITHUB_EVENT_NAME=repository_dispatch", "GITHUB_EVENT_PATH=" + eventFile(t, `{"a\n::add-mask::x": 1}`)},
	} {
		p := playScript(t, "advance/advance.sh", env...)
		if p.status == 0 || !strings.Contains(p.log, says) || !slices.Equal(p.commands, []string{"error"}) {
			t.Errorf("want %q of %+v", says, p)
		}
	}
}

// eventFile writes a repository_dispatch with a payload.
func eventFile(t *testing.T, payload string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(`{"action": "pullbook", "client_payload": `+payload+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestActionsAreSafe reads every action and workflow of this project, and those of a new ledger: no text from an event is in a
// script, what they use is pinned by commit, and everything is described.
func TestActionsAreSafe(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	for _, pattern := range []string{filepath.Join(actionsDir, "*", "action.yml"), filepath.Join("..", "..", ".github", "workflows", "*.yml")} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			if files[path], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, err := starter.WithActions("acme/sre", pinned)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if strings.HasPrefix(name, ".github/workflows/") {
			files["starter/"+name] = []byte(text)
		}
	}
	for name, text := range files {
		var root yaml.Node
		if err := yaml.Unmarshal(text, &root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		walk(&root, "", func(at string, n *yaml.Node) {
			switch {
			case strings.HasSuffix(at, ".run") && strings.Contains(n.Value, "${{"):
				t.Errorf("%s:%d: an expression in a script", name, n.Line)
			case strings.HasSuffix(at, ".uses") && !regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9_./-]+@[0-9a-f]{40}$`).MatchString(n.Value) && !strings.HasPrefix(n.Value, ownAction):
				t.Errorf("%s:%d: %s is not pinned by commit", name, n.Line, n.Value)
			}
		})
		var described struct {
			Description string
			Permissions any
			Inputs      map[string]struct{ Description string }
			Outputs     map[string]struct{ Description string }
		}
		if err := yaml.Unmarshal(text, &described); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for input, d := range described.Inputs {
			if d.Description == "" {
				t.Errorf("%s: input %s is not described", name, input)
			}
		}
		for output, d := range described.Outputs {
			if d.Description == "" {
				t.Errorf("%s: output %s is not described", name, output)
			}
		}
		if action := strings.HasSuffix(name, "action.yml"); action && !bytes.Contains(text, []byte("# permissions: ")) || !action && described.Permissions == nil {
			t.Errorf("%s: does not say which permissions it needs", name)
		}
	}
	review := first[".github/workflows/pullbook-review.yml"]
	for _, word := range []string{"secrets", "environment", "uses:", "${{", "vars."} {
		if strings.Contains(strings.SplitN(review, "\nname:", 2)[1], word) {
			t.Errorf("what runs from a pull request has %s", word)
		}
	}
}

// walk visits every value with its path.
func walk(n *yaml.Node, at string, visit func(at string, n *yaml.Node)) {
	visit(at, n)
	for i, c := range n.Content {
		switch n.Kind {
		case yaml.MappingNode:
			if i%2 == 1 {
				walk(c, at+"."+n.Content[i-1].Value, visit)
			}
		default:
			walk(c, at, visit)
		}
	}
}

// TestBinaryScript holds the name of the program in the cache against the sources.
func TestBinaryScript(t *testing.T) {
	t.Parallel()
	one, two := playScript(t, "binary.sh key"), playScript(t, "binary.sh key")
	if one.status != 0 || !regexp.MustCompile(`^pullbook-Linux-X64-[0-9a-f]{64}$`).MatchString(one.outputs["key"]) || one.outputs["key"] != two.outputs["key"] || one.outputs["dir"] == "" {
		t.Errorf("%+v, then %+v", one, two)
	}
	if p := playScript(t, "binary.sh"); p.status != 2 {
		t.Errorf("without a word: %+v", p)
	}
}
