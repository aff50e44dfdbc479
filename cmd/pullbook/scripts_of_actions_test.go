package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// standIn writes a program that notes its arguments and which of some variables it has, says a hostile text on both of its ways out,
// and ends with a status.
func standIn(t *testing.T, name, status string) (dir, notes string) {
	t.Helper()
	dir = t.TempDir()
	notes = filepath.Join(dir, "notes")
	text := "#!/bin/bash\n" +
		`{ printf '<%s>' "$@"; printf '%s\n' "${TOKEN+ has TOKEN}${APP_KEY+ has APP_KEY}${SIGNING_KEY+ has SIGNING_KEY}"; } >>` + notes + "\n" +
		`for a in "$@"; do case $a in --app-key=*|--signing-key=*|--alert=*) stat -c ' %a' "${a#*=}" >>` + notes + `; cat "${a#*=}" >>` + notes + "; esac; done\n" +
		"printf '::add-mask::out\\n'; printf '::add-mask::err\\n' >&2; printf '::add-mask::last'\nexit " + status + "\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, notes
}

func noted(t *testing.T, notes string) string {
	t.Helper()
	text, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestForeignWordsAreOnlyPrinted runs what the scripts share: a runner reads both ways out of a job, each by itself.
func TestForeignWordsAreOnlyPrinted(t *testing.T) {
	t.Parallel()
	dir, _ := standIn(t, "stranger", "3")
	run := func(script string) (out, stderr string, status int) {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", ". "+filepath.Join(actionsDir, "foreign.sh")+"\n"+script)
		cmd.Env = append(os.Environ(), "STRANGER="+filepath.Join(dir, "stranger"), "GITHUB_OUTPUT="+filepath.Join(dir, "output"))
		var o, e bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &e
		_ = cmd.Run() // its status says how it went
		return o.String(), e.String(), cmd.ProcessState.ExitCode()
	}
	out, stderr, status := run(`foreign "$STRANGER" || { echo "::notice::status $?"; exit 7; }`)
	if status != 7 || stderr != "" || !slices.Equal(taken(out), []string{"notice"}) || !strings.Contains(out, "status 3") {
		t.Errorf("status %d, and %q beside\n%s", status, stderr, out)
	}
	again, _, status := run(`foreign "$STRANGER"`)
	first, second := strings.SplitN(out, "\n", 2)[0], strings.SplitN(again, "\n", 2)[0]
	if end := strings.TrimPrefix(second, "::stop-commands::"); status != 3 || first == second || len(end) < 32 || !strings.HasSuffix(again, "\n::"+end+"::\n") {
		t.Errorf("status %d: after it the runner takes no commands any more, or knew how to before:\n%s", status, again)
	}
	if _, stderr, status := run(`output name $'a\nEOF\nopen<<EOF\n9\nEOF'; output more b`); status != 0 {
		t.Fatal(stderr)
	}
	if got := outputsOf(noted(t, filepath.Join(dir, "output"))); len(got) != 2 || got["name"] != "a\nEOF\nopen<<EOF\n9\nEOF" || got["more"] != "b" {
		t.Errorf("the outputs are %q", got)
	}
}

// TestVetScript: what comes as a variable is an argument, whole and in its place, and what the program says is only printed.
func TestVetScript(t *testing.T) {
	t.Parallel()
	root := ledgerOnDisk(t, map[string]string{"-a b/x.test": "x"})
	for name, c := range map[string]struct {
		status, stories string
		wants           string
		ends            int
	}{
		"good":       {"0", "true", "<vet><--format><github><--rules=al erts.yml><--rules=-b><--><runbooks><-a b>\n<test><--><runbooks><-a b>\n", 0},
		"no stories": {"0", "false", "<vet><--format><github><--rules=al erts.yml><--rules=-b><--><runbooks><-a b>\n", 0},
		"bad":        {"4", "true", "<vet><--format><github><--rules=al erts.yml><--rules=-b><--><runbooks><-a b>\n", 1},
	} {
		dir, notes := standIn(t, "pullbook", "0")
		failing := "#!/bin/bash\n[ \"$1\" = vet ] || " + filepath.Join(dir, "pullbook") + " \"$@\"\n[ \"$1\" = test ] || { " + filepath.Join(dir, "pullbook") + " \"$@\" >/dev/null; exit " + c.status + "; }\n"
		program := filepath.Join(dir, "program")
		if err := os.WriteFile(program, []byte(failing), 0o700); err != nil {
			t.Fatal(err)
		}
		p := playScript(t, "vet/vet.sh", "PWD="+root, "PULLBOOK="+program, "PATHS=runbooks\n-a b\n", "RULES=al erts.yml\n\n-b", "STORIES="+c.stories)
		if got := noted(t, notes); p.status != c.ends || got != c.wants || slices.ContainsFunc(p.commands, func(s string) bool { return s != "error" }) {
			t.Errorf("%s: it was called as %s and ended with\n%+v", name, got, p)
		}
	}
	dir, _ := standIn(t, "pullbook", "1")
	lies := filepath.Join(dir, "program")
	if err := os.WriteFile(lies, []byte("#!/bin/bash\n[ \"$1\" = vet ] || "+filepath.Join(dir, "pullbook")+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if p := playScript(t, "vet/vet.sh", "PWD="+root, "PULLBOOK="+lies, "PATHS=runbooks"); p.status != 1 || p.outputs["stories"] != "failed" || !slices.Equal(p.commands, []string{"error"}) {
		t.Errorf("a story that fails: %+v", p)
	}
}

// TestOpenScript: the token is in nobody's environment and no argument, and nothing is left behind.
func TestOpenScript(t *testing.T) {
	t.Parallel()
	dir, notes := standIn(t, "curl", "1")
	left := t.TempDir()
	base := []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TMPDIR=" + left, "LEDGER=acme/ops", "TOKEN=s3cret"}
	p := playScript(t, "open/open.sh", append(base, `ALERT={"name": "Down"}`)...)
	if got := noted(t, notes); p.status == 0 || strings.Contains(got, "s3cret") || strings.Contains(got, "has TOKEN") || !strings.Contains(got, "<https://api.github.com/repos/acme/ops/dispatches>") {
		t.Errorf("%+v\n%s", p, got)
	}
	for says, env := range map[string][]string{
		"alert is no JSON object": {`ALERT={"name": 3}`},
		"inputs is no JSON ob":    {"RUNBOOK=a", "INPUTS=[1]"},
	} {
		if p := playScript(t, "open/open.sh", append(slices.Clone(base), env...)...); p.status == 0 || !strings.Contains(p.log, says) {
			t.Errorf("want %q of %+v", says, p)
		}
	}
	if entries, err := os.ReadDir(left); err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

// TestAdvanceScript: keys are in files that nobody else may read and that are gone afterwards, in no environment and no argument; what
// comes as a variable is one argument.
func TestAdvanceScript(t *testing.T) {
	t.Parallel()
	dir, notes := standIn(t, "program", "0")
	left := t.TempDir()
	base := []string{"TMPDIR=" + left, "PULLBOOK=" + filepath.Join(dir, "program"), "APP_KEY=a\nkey", "SIGNING_KEY=s3cret", "APP_ID=1"}
	call := func(env ...string) (string, played) {
		if err := os.WriteFile(notes, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p := playScript(t, "advance/advance.sh", append(slices.Clone(base), env...)...)
		called, _, _ := strings.Cut(noted(t, notes), "\n")
		return called, p
	}
	got, p := call("LEDGER=acme/o ps", "INSTALLATION_ID=2", "INCIDENT=--x y", "RUNBOOK=a b", "SECRETS_DIR=/s s", "BUTTONS=true", "PRIVATE_NETWORKS=true", "WITHIN=3m", `ALERT={"name": "x"}`,
		"GITHUB_EVENT_NAME=repository_dispatch", "GITHUB_EVENT_PATH=/event")
	for _, arg := range []string{"<advance>", "<--app-id=1>", "<--within=3m>", "<--repo=acme/o ps>", "<--installation-id=2>", "<--incident=--x y>", "<--runbook=a b>", "<--secrets-dir=/s s>",
		"<--buttons>", "<--private-networks>", "/alert.json>"} {
		if !strings.Contains(got, arg) {
			t.Errorf("%s is not among %s", arg, got)
		}
	}
	text := noted(t, notes)
	if p.status != 0 || len(p.commands) > 0 || strings.Contains(got, "has ") || strings.Contains(got, "s3cret") || strings.Contains(got, "--event") || strings.Contains(p.log, "s3cret") {
		t.Errorf("%+v\n%s", p, got)
	}
	if strings.Count(text, " 600\n") != 3 || !strings.Contains(text, "a\nkey\n") || !strings.Contains(text, "s3cret\n") || !strings.Contains(text, `{"name": "x"}`) {
		t.Errorf("its files were %s", text)
	}
	for event, wants := range map[string]bool{"repository_dispatch": true, "check_run": true, "issues": true, "deployment_status": true, "workflow_run": true, "schedule": false, "issue_comment": false} {
		got, _ := call("GITHUB_EVENT_NAME="+event, "GITHUB_EVENT_PATH=/event file")
		if strings.Contains(got, "<--event=/event file>") != wants || strings.Contains(got, "--private-networks") || strings.Contains(got, "--buttons") || !strings.Contains(got, "<--within=10m>") {
			t.Errorf("of %s: %s", event, got)
		}
	}
	if entries, err := os.ReadDir(left); err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
	if _, p := call("APP_KEY= \n"); p.status == 0 || !strings.Contains(p.log, "private key is missing") {
		t.Errorf("without a key: %+v", p)
	}
}
