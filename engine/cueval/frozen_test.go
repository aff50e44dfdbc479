package cueval

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// TestFrozenSchema shows that a plan which was made by another version of the engine means what it meant there: its own
// schema and its own skeleton count, and what cannot be read is said.
func TestFrozenSchema(t *testing.T) {
	// What an earlier engine had: a kind of step was called otherwise, had another timeout and another field.
	earlier := bytes.ReplaceAll(schema.Runbook(), []byte("exec?:      #Exec      @kind(risk=change, timeout=5m)"), []byte("exec?:      #Exec      @kind(risk=read, timeout=7m)"))
	earlier = bytes.ReplaceAll(earlier, []byte("	task!:  string\n"), []byte("	todo!:  string\n"))
	if bytes.Equal(earlier, schema.Runbook()) {
		t.Fatal("the schema has changed: this test looks for what is not there")
	}
	src := runbook.Source{Runbook: "runbooks/x.cue", Schema: earlier, Files: map[string][]byte{"runbooks/x.cue": []byte(`
title: "t"
alert: _
steps: {
	logs: {exec: command: ["./logs"], output: n: int}
	wipe: {when: logs.output.n > 1, exec: command: ["./wipe", alert.name]}
}
`)}}
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute})
	plan, problems, err := e.Load(t.Context(), src)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if s := plan.Steps[0]; s.Risk != runbook.RiskRead || s.Timeout != 7*time.Minute {
		t.Errorf("under its own schema: %+v", s)
	}
	// The skeleton that was frozen counts, also where this engine would make another one.
	frozen := plan
	frozen.Steps = append([]runbook.Step(nil), plan.Steps...)
	frozen.Steps[1].Risk, frozen.Steps[1].Timeout = runbook.RiskDestructive, time.Hour
	now := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute})
	q := runbook.Query{Source: src, Frozen: &frozen, Alert: json.RawMessage(`{"name":"A","source":"s","status":"firing","fingerprint":"f","group":"g","labels":{},"annotations":{}}`), Ended: map[string]runbook.Ended{"logs": {Conclusion: runbook.Succeeded, Output: json.RawMessage(`{"n": 2}`)}}}
	got, err := now.Resolve(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Steps[1]; s.Risk != runbook.RiskDestructive || s.Timeout != time.Hour || s.Now.Status != runbook.StatusReady {
		t.Errorf("with its own skeleton: %+v", s)
	}
	q.Source.Schema = []byte("what? is this")
	_, err = now.Resolve(t.Context(), q)
	if wrong := new(SourceError); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "cannot read the frozen schema") {
		t.Errorf("of a schema in another language: %v", err)
	}
}
