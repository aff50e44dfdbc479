package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestExecKeepsTheOrderOfItsStreams(t *testing.T) {
	got := newRunner(t, nil).Run(t.Context(), shell(t, "echo one\necho two >&2\necho three"), nil)
	expect(t, got, runbook.Succeeded, "")
	if got.Log != "one\ntwo\nthree\n" {
		t.Errorf("log %q", got.Log)
	}
	sum := sha256.Sum256([]byte("#!/bin/sh\necho one\necho two >&2\necho three"))
	want := map[string]string{"exit_status": "0", "executable": "./run", "executable_sha256": hex.EncodeToString(sum[:])}
	for k, v := range want {
		if got.Facts[k] != v {
			t.Errorf("fact %s is %q, want %q", k, got.Facts[k], v)
		}
	}
}

// TestExecIsRehearsed: in a rehearsal the command for that runs, and no other; what it wrote is what people see, without secrets.
func TestExecIsRehearsed(t *testing.T) {
	r := newRunner(t, map[string]string{"TOKEN": "correct-horse-battery"})
	j := withFile(job("exec", map[string]any{"rehearse": []string{"./try", "-c"}, "secrets": []string{"TOKEN"}}), "try",
		"#!/bin/sh\necho would add one rule with $TOKEN\necho \"but $1\" >&2\n", true)
	j.Rehearse, j.HasOutput = true, true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	var says rehearsed
	if err := json.Unmarshal(got.Output, &says); err != nil || !says.Changes || says.Plan != "" {
		t.Errorf("output %s: %v", got.Output, err)
	}
	if !strings.HasPrefix(says.Text, "$ ./try -c\nwould add one rule with ") || !strings.HasSuffix(says.Text, "\nbut -c\n") || strings.Contains(says.Text, "correct-horse") {
		t.Errorf("people see %q", says.Text)
	}
	if got.Log != says.Text {
		t.Errorf("log %q, and people see %q", got.Log, says.Text)
	}
	for name, change := range map[string]func(*Job){
		"cannot be rehearsed": func(j *Job) { set(j, "rehearse", []string{}) },
		"exit status 4":       func(j *Job) { set(j, "rehearse", []string{"sh", "-c", "echo no such table; exit 4"}) },
	} {
		j := withFile(job("exec", map[string]any{"rehearse": []string{"./try"}}), "try", "#!/bin/sh\n", true)
		j.Rehearse, j.HasOutput = true, true
		change(&j)
		if got := r.Run(t.Context(), j, nil); got.Conclusion != runbook.Failed || !strings.Contains(got.Error, name) || len(got.Output) > 0 {
			t.Errorf("want %q: %+v", name, got)
		}
	}
}

func TestExecFailures(t *testing.T) {
	plain := withFile(job("exec", map[string]any{"command": []string{"./data"}}), "data", "x", false)
	env := shell(t, "true")
	set(&env, "env", map[string]string{"PULLBOOK_KEY": "forged"})
	secret := shell(t, "true")
	set(&secret, "secrets", []string{"ABSENT"})
	command := func(args ...string) Job { return job("exec", map[string]any{"command": args}) }
	tests := map[string]struct {
		job  Job
		want string
	}{
		"status":         {shell(t, "exit 3"), "exit status 3"},
		"signal":         {shell(t, "kill -9 $$"), "signal: killed"},
		"empty":          {command(), "the command is empty"},
		"unknown":        {command("no-such-program-here"), "not found"},
		"relative":       {command("bin/tool"), "an absolute path, or ./"},
		"escape":         {command("./../../../bin/sh"), "not among the step's files"},
		"not given":      {command("./run"), "not among the step's files"},
		"not executable": {plain, "not executable in the ledger"},
		"no interpreter": {withFile(command("./run"), "run", "#!/no/such/interpreter\n", true), "start ./run"},
		"reserved":       {env, `"PULLBOOK_KEY"`},
		"absent secret":  {secret, `"ABSENT"`},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := r.Run(t.Context(), tt.job, nil)
			expect(t, got, runbook.Failed, tt.want)
			mustBeEmpty(t, r)
		})
	}
}

// mustBeEmpty checks that no attempt's directory is left.
func mustBeEmpty(t *testing.T, r *Runner) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(r.scratch.dir, "attempt-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestExecEnvironmentIsAnAllowList(t *testing.T) {
	t.Setenv("HOST_SECRET", "of the engine")
	t.Setenv("LANG", "C.UTF-8")
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-value\n", "OTHER": "never-read-value"})
	j := shell(t, "env | cut -d= -f1 | sort\ntest \"$TOKEN\" = s3cr3t-value && echo token-is-right\necho \"$PULLBOOK_KEY $COLOUR\"")
	set(&j, "env", map[string]string{"COLOUR": "blue"})
	set(&j, "secrets", []string{"TOKEN"})
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	lines := strings.Fields(got.Log)
	for _, want := range []string{"COLOUR", "LANG", "PATH", "TMPDIR", "TOKEN", "PULLBOOK_STEP", "PULLBOOK_ATTEMPT",
		"PULLBOOK_INCIDENT", "token-is-right", "20261122-k3jq5zabcd/deploy/1", "blue"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %s in %q", want, got.Log)
		}
	}
	if slices.Contains(lines, "HOST_SECRET") || slices.Contains(lines, "OTHER") {
		t.Errorf("foreign variables in %q", got.Log)
	}
}

func TestExecFilesAreReadOnlyAndGone(t *testing.T) {
	r := newRunner(t, nil)
	j := shell(t, `cat lib/a/data.txt; stat -c %a lib/a/data.txt run 2>/dev/null || echo 400 500
mkdir sealed && touch sealed/x && chmod 0 sealed; echo scratch > mine && echo "$PULLBOOK_DIR"`)
	got := r.Run(t.Context(), withFile(j, "lib/a/data.txt", "content\n", false), nil)
	expect(t, got, runbook.Succeeded, "")
	words := strings.Fields(got.Log)
	if len(words) != 4 || !slices.Equal(words[:3], []string{"content", "400", "500"}) {
		t.Fatalf("log %q", got.Log)
	}
	mustNotExist(t, words[3])
	mustBeEmpty(t, r)
}

func TestExecPinsAreChecked(t *testing.T) {
	good := shell(t, "echo ran")
	change := func(edit func(*Job)) Job {
		j := withFile(good, "lib/x", "x", false)
		edit(&j)
		return j
	}
	tests := map[string]struct {
		job  Job
		want string
	}{
		"other bytes": {change(func(j *Job) { j.Files["run"] = FileData{[]byte("#!/bin/sh\necho evil"), true} }), "the plan pinned"},
		"other mode":  {change(func(j *Job) { j.Files["lib/x"] = FileData{[]byte("x"), true} }), "whether it may be executed"},
		"missing":     {change(func(j *Job) { delete(j.Files, "lib/x") }), "was not given"},
		"unpinned":    {change(func(j *Job) { j.Files["lib/y"] = FileData{} }), "is not pinned"},
		"twice":       {change(func(j *Job) { j.Pins = append(j.Pins, j.Pins[0]) }), "pinned twice"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := r.Run(t.Context(), tt.job, nil)
			expect(t, got, runbook.Failed, tt.want)
			if got.Log != "" {
				t.Errorf("it ran: %q", got.Log)
			}
		})
	}
}

// Source of the id: `printf 'hello\n' | git hash-object --stdin`.
func TestBlobIDIsGits(t *testing.T) {
	if got := blobID([]byte("hello\n")); got != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Error(got)
	}
}

func TestExecStdin(t *testing.T) {
	r := newRunner(t, nil)
	alert := json.RawMessage(`{"name":"HighErrors"}`)
	tests := map[string]struct {
		stdin string
		alert json.RawMessage
		want  string
	}{
		"own":     {"typed in", alert, "typed in"},
		"alert":   {"", alert, string(alert)},
		"nothing": {"", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := shell(t, "cat")
			set(&j, "stdin", tt.stdin)
			j.Alert = tt.alert
			got := r.Run(t.Context(), j, nil)
			expect(t, got, runbook.Succeeded, "")
			if got.Log != tt.want {
				t.Errorf("read %q", got.Log)
			}
		})
	}
}

func TestExecOutput(t *testing.T) {
	tests := map[string]struct {
		script, output, problem string
	}{
		"object":   {`echo '{"errors": 12}'; echo working >&2`, `{"errors": 12}`, ""},
		"array":    {`echo '[1]'`, "", "not one JSON object"},
		"null":     {`echo null`, "", "it is null"},
		"two":      {`echo '{}{}'`, "", "not one JSON object"},
		"nothing":  {`true`, "", "not one JSON object"},
		"no UTF-8": {`printf '{"a":"\377"}'`, "", "not UTF-8"},
		"too long": {`printf '{"a":"'; head -c 300000 /dev/zero | tr '\0' a; printf '"}'`, "", "larger than"},
		"failure":  {`echo '{"errors": 12}'; exit 1`, "", "exit status 1"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := shell(t, tt.script)
			j.HasOutput = true
			got := r.Run(t.Context(), j, nil)
			if tt.problem == "" {
				expect(t, got, runbook.Succeeded, "")
				if got.Log != "working\n" {
					t.Errorf("log %q", got.Log)
				}
			} else {
				expect(t, got, runbook.Failed, tt.problem)
			}
			if strings.TrimSpace(string(got.Output)) != tt.output {
				t.Errorf("output %q", got.Output)
			}
		})
	}
}

func TestExecThatFailsShowsItsOutputInTheLog(t *testing.T) {
	j := shell(t, "echo why >&2; echo '{\"half\":'")
	j.HasOutput = true
	got := newRunner(t, nil).Run(t.Context(), j, nil)
	expect(t, got, runbook.Failed, "not one JSON object")
	if got.Log != "why\n\n[standard output]\n{\"half\":\n" {
		t.Errorf("log %q", got.Log)
	}
}

func TestExecTimeoutKillsTheGroup(t *testing.T) {
	tests := map[string]string{
		"hangs":            "sleep 60",
		"ignores SIGTERM":  "trap '' TERM; while :; do sleep 60; done",
		"hangs in a child": "sleep 60 & echo $!; wait",
		"forks on":         "(while :; do sleep 60; done) & (trap '' TERM; sleep 60; sleep 60) & wait",
	}
	r := newRunner(t, nil)
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := shell(t, "echo pid $$\n"+script)
			j.Timeout = 2 * time.Second
			started := time.Now()
			got := r.Run(t.Context(), j, nil)
			expect(t, got, runbook.TimedOut, "not done within 2s")
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			mustBeDead(t, pidIn(t, got.Log))
		})
	}
}

func pidIn(t *testing.T, log string) int {
	t.Helper()
	words := strings.Fields(log)
	if len(words) < 2 {
		t.Fatalf("no process id in %q", log)
	}
	pid, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatalf("no process id in %q: %v", log, err)
	}
	return pid
}

// mustBeDead checks that a process group has no member that still runs. Killed orphans are reaped by whoever runs the
// machine's first process, so that a moment may pass until they are gone.
func mustBeDead(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if syscall.Kill(-group, 0) != nil || onlyZombies(group) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process group %d lives", group)
		}
	}
}

func onlyZombies(group int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// After the command, which may hold anything: state, parent, group (proc(5)).
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return false
		}
	}
	return true
}

// cancelWhen runs a job and cancels it as soon as a file is there.
func cancelWhen(t *testing.T, r *Runner, file string, j Job) runbook.Outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(file); err == nil {
				cancel()
			}
			runtime.Gosched()
		}
	}()
	return r.Run(ctx, j, nil)
}

func TestExecCancelled(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	got := cancelWhen(t, newRunner(t, nil), ready, shell(t, "echo pid $$; touch "+ready+"; sleep 60"))
	expect(t, got, runbook.Cancelled, "cancelled: the program and its process group were ended")
	mustBeDead(t, pidIn(t, got.Log))
}

func TestExecMayEndInOrderWhenAsked(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	r := newRunner(t, nil)
	r.grace = 10 * time.Second
	script := "trap 'echo rolled back; exit 0' TERM\necho begun; touch " + ready + "\nwhile :; do sleep 0.05; done"
	got := cancelWhen(t, r, ready, shell(t, script))
	expect(t, got, runbook.Cancelled, "")
	if !strings.HasSuffix(got.Log, "rolled back\n") {
		t.Errorf("log %q", got.Log)
	}
}

func TestExecIsNotHeldUpByWhatItLeaves(t *testing.T) {
	got := newRunner(t, nil).Run(t.Context(), shell(t, "echo pid $$; sleep 60 & exit 0"), nil)
	expect(t, got, runbook.Succeeded, "")
	if took := got.Ended.Sub(got.Started); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	mustBeDead(t, pidIn(t, got.Log))
}
