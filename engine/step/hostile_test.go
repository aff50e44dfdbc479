package step

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// payloads are texts that become programs, markup or files where they are not treated as data.
func payloads(canary string) []string {
	touch := "touch " + canary
	return []string{
		"; " + touch, "& " + touch + " &", "| " + touch, "|| " + touch, "&& " + touch, "$(" + touch + ")", "`" + touch + "`",
		"\n" + touch + "\n", "\r\n" + touch, "'; " + touch + " #", "\"; " + touch + " #", "\\\"; " + touch, "${IFS}" + touch,
		"() { :;}; " + touch, "--exec=" + touch, "-c " + touch, "-oProxyCommand=" + touch, "%0a" + touch, "<(" + touch + ")",
		"> " + canary, "$(<" + canary + ")", "{{" + touch + "}}", "#!/bin/sh\n" + touch, "@everyone ![x](http://x) <script>",
		"\x1b]0;" + touch + "\x07", "\u202e" + touch, "../../../../" + canary, strings.Repeat("A", 1<<20), "*", "~", "!!",
	}
}

// The script does what careful scripts do: it uses the variables in quotes and reads the file. Any payload that runs
// makes the canary.
func TestAlertTextNeverRuns(t *testing.T) {
	r := newRunner(t, nil)
	canary := filepath.Join(t.TempDir(), "canary")
	script := `set -e; cat "$PULLBOOK_ALERT_FILE" >/dev/null; cat >/dev/null
eval "echo ${PULLBOOK_ALERT_NAME-} ${PULLBOOK_ALERT_SOURCE-} ${PULLBOOK_ALERT_STATUS-} ${PULLBOOK_ALERT_FINGERPRINT-}"`
	for i, payload := range payloads(canary) {
		alert, err := json.Marshal(map[string]any{
			"name": payload, "source": payload, "status": payload, "fingerprint": payload,
			"labels": map[string]string{"service": payload, payload: "x"}, "annotations": map[string]string{"a": payload},
		})
		if err != nil {
			t.Fatal(err)
		}
		j := shell(t, script)
		j.Alert = alert
		got := r.Run(t.Context(), j, nil)
		expect(t, got, runbook.Succeeded, "")
		if _, err := os.Lstat(canary); err == nil {
			t.Fatalf("payload %d ran: %q", i, payload)
		}
		if strings.TrimSpace(got.Log) != "" {
			t.Errorf("payload %d came into the environment: %q", i, got.Log)
		}
	}
}

func TestArgumentsAreNotInterpreted(t *testing.T) {
	if _, err := exec.LookPath("printf"); err != nil {
		t.Skip("needs printf: ", err)
	}
	r := newRunner(t, nil)
	canary := filepath.Join(t.TempDir(), "canary")
	for _, payload := range payloads(canary) {
		if len(payload) > 1<<16 {
			continue // longer than one argument may be
		}
		got := r.Run(t.Context(), job("exec", map[string]any{"command": []string{"printf", "%s", payload}}), nil)
		expect(t, got, runbook.Succeeded, "")
		if got.Log != clean(payload) {
			t.Errorf("printed %q, want %q", got.Log, clean(payload))
		}
		mustNotExist(t, canary)
	}
}

func TestSafeAlertVariables(t *testing.T) {
	got := safeAlert(json.RawMessage(`{"name":"HighErrors","source":"alertmanager","status":"-firing","fingerprint":"a b"}`))
	want := "PULLBOOK_ALERT_NAME=HighErrors PULLBOOK_ALERT_SOURCE=alertmanager"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
	if got := safeAlert(json.RawMessage(`["no", "object"]`)); got != nil {
		t.Errorf("got %q of no alert", got)
	}
}

func TestHugeEnvironmentIsAnOutcome(t *testing.T) {
	j := shell(t, "true")
	set(&j, "env", map[string]string{"BIG": strings.Repeat("x", 1<<20)})
	got := newRunner(t, nil).Run(t.Context(), j, nil)
	if runtime.GOOS == "linux" {
		expect(t, got, runbook.Failed, "start ./run")
	}
	zero := shell(t, "true")
	set(&zero, "env", map[string]string{"ZERO": "a\x00b"})
	expect(t, newRunner(t, nil).Run(t.Context(), zero, nil), runbook.Failed, "start ./run")
}

func TestFilesCannotLeaveTheDirectory(t *testing.T) {
	r := newRunner(t, nil)
	for _, path := range []string{"../out", "a/../../out", "/tmp/out", "", ".", "a//b", "a/./b", "./a", `a\..\..\out`, "a/", "a\x00b"} {
		t.Run(path, func(t *testing.T) {
			expect(t, r.Run(t.Context(), withFile(shell(t, "echo ran"), path, "x", false), nil), runbook.Failed, "not a clean path")
		})
	}
	// A file where another needs a directory.
	expect(t, r.Run(t.Context(), withFile(shell(t, "echo ran"), "run/below", "x", false), nil), runbook.Failed, "run")
}

// floodOf is a job that writes the given number of MiB.
func floodOf(t *testing.T, mib int) Job {
	t.Helper()
	if _, err := exec.LookPath("yes"); err != nil {
		t.Skip("needs yes: ", err)
	}
	return shell(t, fmt.Sprintf("echo first; yes 0123456789 | head -c %d; echo last", mib<<20))
}

func TestFloodIsBounded(t *testing.T) {
	r := newRunner(t, nil)
	j := floodOf(t, 200)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := r.Run(t.Context(), j, nil)
	runtime.ReadMemStats(&after)
	expect(t, got, runbook.Succeeded, "")
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("allocated %d bytes in all for a stream of 200 MiB", allocated)
	}
	if len(got.Log) > logLimit+200 || !strings.HasPrefix(got.Log, "first\n0123") || !strings.HasSuffix(got.Log, "last\n") {
		t.Errorf("log of %d bytes from %.20q", len(got.Log), got.Log)
	}
	size := int64(200<<20 + len("first\nlast\n"))
	if len(got.Cut) != 1 || got.Cut[0].Name != "log" || got.Cut[0].Bytes != size || len(got.Cut[0].SHA256) != 64 {
		t.Errorf("cut %+v", got.Cut)
	}
}

// BenchmarkFlood shows that the bytes allocated do not grow with the stream.
func BenchmarkFlood(b *testing.B) {
	for _, mib := range []int{16, 256} {
		b.Run(fmt.Sprintf("MiB=%d", mib), func(b *testing.B) {
			c := newCapture(logLimit, plainMargin)
			block := []byte(strings.Repeat("0123456789\n", 32<<10/11))
			b.SetBytes(int64(mib) << 20)
			b.ReportAllocs()
			for b.Loop() {
				for range mib << 20 / len(block) {
					_, _ = c.Write(block)
				}
			}
		})
	}
}

func TestEndlessFloodEndsAtTheTimeout(t *testing.T) {
	if _, err := exec.LookPath("yes"); err != nil {
		t.Skip("needs yes: ", err)
	}
	j := job("exec", map[string]any{"command": []string{"yes"}})
	j.Timeout = 200 * time.Millisecond
	got := newRunner(t, nil).Run(t.Context(), j, nil)
	expect(t, got, runbook.TimedOut, "")
	if len(got.Log) > logLimit+200 {
		t.Errorf("log of %d bytes", len(got.Log))
	}
}

// A program that left the group is found by its environment when the attempt is timed out (Linux only); a daemon that a
// successful step started lives on, but cannot hold the step up.
func TestStrays(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil || runtime.GOOS != "linux" {
		t.Skip("needs setsid and Linux: ", err)
	}
	r := newRunner(t, nil)
	script := `setsid sh -c 'echo pid $$; touch "$TMPDIR/up"; exec sleep 60' &
until [ -e "$TMPDIR/up" ]; do :; done; `
	t.Run("timed out", func(t *testing.T) {
		j := shell(t, script+"sleep 60")
		j.Timeout = 2 * time.Second
		got := r.Run(t.Context(), j, nil)
		expect(t, got, runbook.TimedOut, "")
		if got.Facts["strays_killed"] != "1" {
			t.Errorf("facts %v", got.Facts)
		}
		mustBeDead(t, pidIn(t, got.Log))
	})
	t.Run("succeeded", func(t *testing.T) {
		got := r.Run(t.Context(), shell(t, script+"exit 0"), nil)
		expect(t, got, runbook.Succeeded, "")
		p, err := os.FindProcess(pidIn(t, got.Log))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Errorf("the daemon is gone: %v", err)
		}
	})
}

// Starting what was just written fails with "text file busy" if another start inherits the descriptor of the writer.
func TestManyAtOnce(t *testing.T) {
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-value"})
	var all sync.WaitGroup
	for i := range 48 {
		j := shell(t, fmt.Sprintf("# %d\necho canary-%d; cat mine", i, i))
		j = withFile(j, "mine", fmt.Sprintf("file-%d\n", i), false)
		all.Go(func() {
			got := r.Run(t.Context(), j, nil)
			if want := fmt.Sprintf("canary-%d\nfile-%d\n", i, i); got.Log != want || got.Error != "" {
				t.Errorf("log %q, want %q; error %q", got.Log, want, got.Error)
			}
		})
	}
	all.Wait()
	mustBeEmpty(t, r)
}

// A secret may be known to one step and its spelling may be any: through no sink does it leave.
func TestSecretLeavesThroughNoSink(t *testing.T) {
	const canary = "c4nary/V4lue+with;chars"
	r := newRunner(t, map[string]string{"CANARY": canary})
	j := shell(t, `echo "$CANARY"; echo "$CANARY" >&2; printf %s "$CANARY" | base64; exit 1`)
	set(&j, "secrets", []string{"CANARY"})
	mustNotHold(t, r.Run(t.Context(), j, nil), canary)

	j = shell(t, `printf '{"a":"x%sx"}' "$CANARY"; echo "$CANARY" >&2`)
	set(&j, "secrets", []string{"CANARY"})
	j.HasOutput = true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Failed, "holds the secret CANARY")
	mustNotHold(t, got, canary)

	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, q.Header.Get("X-Key"))
	})
	get := map[string]any{"url": url + "/" + canary, "headers": map[string]string{"X-Key": "$CANARY"}, "secrets": []string{"CANARY"}}
	mustNotHold(t, r.Run(t.Context(), job("http", get), nil), canary)

	get["headers"] = map[string]string{"X-Key": "$CANARY\n"}
	mustNotHold(t, r.Run(t.Context(), job("http", get), nil), canary)
}

func mustNotHold(t *testing.T, got runbook.Outcome, canary string) {
	t.Helper()
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), canary) || strings.Contains(string(got.Output), canary) {
		t.Errorf("the secret is in %s", data)
	}
	if !strings.Contains(string(data), "CANARY") {
		t.Errorf("nothing says what was covered: %s", data)
	}
}
