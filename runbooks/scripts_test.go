package runbooks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bench is a directory of programs that stand before those of the machine.
type bench struct{ dir string }

// sshHere is an ssh that runs its words on this machine, as a shell on another one would.
const sshHere = "while [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n"

// newBench makes programs, each a script for sh, by name.
func newBench(t *testing.T, programs map[string]string) bench {
	t.Helper()
	b := bench{t.TempDir()}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// run runs one of the scripts. The words and the answers are those of a step.
func (b bench) run(t *testing.T, name string, words ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join("scripts", name), words...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+b.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	return out.String(), log.String(), err
}

// good runs a script that has to succeed, and reads its output into answer, if that is not nil.
func (b bench) good(t *testing.T, answer any, name string, words ...string) (log string) {
	t.Helper()
	out, log, err := b.run(t, name, words...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, words, err, log)
	}
	if answer == nil {
		return log
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("%s %q put out %q: %v", name, words, out, err)
	}
	return log
}

// bad runs a script that has to fail, and to say why.
func (b bench) bad(t *testing.T, why, name string, words ...string) {
	t.Helper()
	if out, log, err := b.run(t, name, words...); err == nil || !strings.Contains(log, why) {
		t.Errorf("%s %q: %v, %q, %q; want a failure that says %q", name, words, err, out, log, why)
	}
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// TestMissingTools runs each script where nothing is installed: it says what it needs. It is executable, and stops at errors.
func TestMissingTools(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	scripts, err := filepath.Glob("scripts/*")
	if err != nil || len(scripts) < 10 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, name := range scripts {
		info, err := os.Stat(name)
		if err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s is not executable (%v)", name, err)
		}
		text, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(text), "#!/usr/bin/env bash\n") || !strings.Contains(string(text), "\nset -euo pipefail\n") {
			t.Errorf("%s: %v; want bash, and set -euo pipefail", name, err)
		}
		cmd := exec.Command(bash, name)
		cmd.Env = []string{"PATH=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), " is not installed on this machine") {
			t.Errorf("%s where nothing is installed: %v, %q", name, err, out)
		}
	}
}

// TestWordsStayWords gives scripts words that a shell on the other side would take for more: nothing is run because of them.
func TestWordsStayWords(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]string{"ssh": sshHere, "systemctl": "exit 1\n", "certbot": "exit 1\n", "nft": "exit 1\n"})
	trace := filepath.Join(t.TempDir(), "ran")
	for _, evil := range []string{"x;touch " + trace, "$(touch " + trace + ")", "`touch " + trace + "`", "x' ; touch " + trace + " '", "x\ntouch " + trace} {
		for _, words := range [][]string{
			{"look-unit", "--host=h", "--unit=" + evil},
			{"look-disk", "--host=h", "--mount=/" + evil, "--logs=/" + evil, "--days=1"},
			{"clean-disk", "--host=h", "--logs=/srv/" + evil, "--days=1"},
			{"renew-certificate", "--host=h", "--name=" + evil, "--reload=" + evil},
			{"egress", "block", "--host=h", "--address=" + evil, "--for=1h"},
			{"egress", "block", "--host=h", "--address=203.0.113.7", "--for=" + evil},
			{"haproxy-server", "drain", "--proxy=127.0.0.1:1", "--server=web/" + evil},
		} {
			if out, log, err := b.run(t, words[0], words[1:]...); err == nil {
				t.Errorf("%q succeeded: %q, %q", words, out, log)
			}
		}
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a word was run as a program")
	}
}

// TestTryKubectl: what is tried is only tried, whatever stands in the command.
func TestTryKubectl(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]string{"kubectl": "echo \"$@\" >&2\n"})
	if got := b.good(t, nil, "try-kubectl", "rollout", "undo", "--namespace=n", "deployment/d"); got != "rollout undo --namespace=n deployment/d --dry-run=server\n" {
		t.Errorf("ran kubectl %q", got)
	}
	b.bad(t, "does not try delete", "try-kubectl", "delete", "pod")
	b.bad(t, "does not try rollout restart", "try-kubectl", "rollout", "restart")
	b.bad(t, "does not try", "try-kubectl")
	b.bad(t, "wants no --dry-run", "try-kubectl", "scale", "--dry-run=none", "deployment/d")
	b.bad(t, "wants no --:", "try-kubectl", "annotate", "ingress/x", "--", "a=b")
}

// TestLookRollout reads recorded answers of kubectl: two revisions, of which the later runs, and a replicaset of another deployment.
func TestLookRollout(t *testing.T) {
	t.Parallel()
	need(t, "jq")
	set := func(owner, revision, image string) string {
		return fmt.Sprintf(`{"metadata": {"creationTimestamp": %q, "ownerReferences": [{"uid": %q}], "annotations": {"deployment.kubernetes.io/revision": %q}},
			"spec": {"template": {"spec": {"containers": [{"image": %q}]}}}}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), owner, revision, image)
	}
	kubectl := func(sets ...string) string {
		return fmt.Sprintf("case $2 in\nreplicasets) cat <<'END'\n{\"items\": [%s]}\nEND\n;;\n"+
			"deployment) cat <<'END'\n{\"metadata\": {\"uid\": \"u\", \"annotations\": {\"deployment.kubernetes.io/revision\": \"10\"}}, \"spec\": {\"replicas\": 3}}\nEND\n;;\n*) exit 1;;\nesac\n", strings.Join(sets, ","))
	}
	type release struct {
		Revision, Previous, Replicas int
		Image                        string
		Age                          int    `json:"age_seconds"`
		Before                       string `json:"previous_image"`
	}
	words := []string{"--namespace=n", "--deployment=d"}
	b := newBench(t, map[string]string{"kubectl": kubectl(set("u", "9", "d:v1"), set("u", "10", "d:v2"), set("other", "11", "e:v1"), set("u", "2", "d:v0"))})
	var got release
	b.good(t, &got, "look-rollout", words...)
	if got.Age < 3500 || got.Age > 3700 {
		t.Errorf("the release is %d s old, want about an hour", got.Age)
	}
	got.Age = 0
	if want := (release{Revision: 10, Previous: 9, Replicas: 3, Image: "d:v2", Before: "d:v1"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	b = newBench(t, map[string]string{"kubectl": kubectl(set("u", "10", "d:v2"))})
	if b.good(t, &got, "look-rollout", words...); got.Previous != 0 {
		t.Errorf("the first release has %d before it", got.Previous)
	}
	newBench(t, map[string]string{"kubectl": kubectl()}).bad(t, "no replicaset has the revision", "look-rollout", words...)
	newBench(t, map[string]string{"kubectl": "echo forbidden >&2; exit 1\n"}).bad(t, "forbidden", "look-rollout", words...)
}

// TestLookUnit has programs in the place of systemctl and journalctl.
func TestLookUnit(t *testing.T) {
	t.Parallel()
	systemctl := func(load string) string {
		return "[ \"$*\" = 'show --property=LoadState,ActiveState,SubState,Result,NRestarts -- web.service' ] || exit 1\n" +
			"printf 'LoadState=" + load + "\\nActiveState=failed\\nSubState=failed\\nResult=exit-code\\nNRestarts=5\\n'\n"
	}
	b := newBench(t, map[string]string{"ssh": sshHere, "systemctl": systemctl("loaded"), "journalctl": "echo the last words of $3\n"})
	var got struct {
		State, Sub, Result string
		Restarts           int
	}
	log := b.good(t, &got, "look-unit", "--host=h", "--unit=web.service")
	if got.State != "failed" || got.Result != "exit-code" || got.Restarts != 5 || !strings.Contains(log, "the last words of --unit=web.service") {
		t.Errorf("got %+v and the log %q", got, log)
	}
	b = newBench(t, map[string]string{"ssh": sshHere, "systemctl": systemctl("not-found")})
	b.bad(t, "h has no unit web.service", "look-unit", "--host=h", "--unit=web.service")
	b.bad(t, "does not know the argument", "look-unit", "--host=h", "--unit=web.service", "--force")
}
