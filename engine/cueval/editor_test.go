package cueval

import (
	"strings"
	"testing"

	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"

	"github.com/pullbook/pullbook/runbooks/starter"
	"github.com/pullbook/pullbook/schema"
)

// TestEditorSupport builds the files of a new ledger as `cue vet -c=false schema/runbook.cue schema/check.cue RUNBOOK` does: the schema is found,
// and with it values of the wrong type. What comes along is formatted as `cue fmt` does it.
func TestEditorSupport(t *testing.T) {
	files, err := starter.Files("acme/sre")
	if err != nil {
		t.Fatal(err)
	}
	files["schema/runbook.cue"] = string(schema.Runbook())
	files["runbooks/wrong.cue"] = strings.Replace(files["runbooks/service_down.cue"], `"5m"`, "5", 1)
	for name, text := range files {
		if pretty, err := format.Source([]byte(text)); strings.HasSuffix(name, ".cue") && !strings.HasPrefix(name, "schema/") && (err != nil || string(pretty) != text) && name != "runbooks/wrong.cue" {
			t.Errorf("%s is not formatted: %v", name, err)
		}
	}
	vet := func(name string) error {
		inst := build.NewContext().NewInstance("", nil)
		for _, name := range []string{"schema/runbook.cue", "schema/check.cue", name} {
			f, err := parser.ParseFile(name, files[name])
			if err != nil {
				return err
			}
			if err := inst.AddSyntax(f); err != nil {
				return err
			}
		}
		if err := inst.Complete(); err != nil {
			return err
		}
		return cuecontext.New().BuildInstance(inst).Validate()
	}
	if err := vet("runbooks/service_down.cue"); err != nil {
		t.Error(err)
	}
	if err := vet("runbooks/wrong.cue"); err == nil || !strings.Contains(err.Error(), "steps.answers.timeout") {
		t.Errorf("a number as a timeout: %v", err)
	}
}
