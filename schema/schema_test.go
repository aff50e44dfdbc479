package schema_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/schema"
)

// TestReadme checks that README.md names every definition and every field of the schema, and nothing in its tables that
// the schema does not have.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	names := map[string]bool{}
	field := regexp.MustCompile(`(?m)(?:^\s*|policy\? *: |steps\?: )(#?[A-Za-z_]+)[?!]?:\s`)
	for _, m := range field.FindAllStringSubmatch(string(schema.Runbook()), -1) {
		names[m[1]] = true
	}
	if len(names) < 75 {
		t.Fatalf("found only %d names in the schema", len(names))
	}
	for name := range names {
		if strings.HasPrefix(name, "#") && !explained(name) {
			continue
		}
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md does not mention %s", name)
		}
	}
	row := regexp.MustCompile("(?m)^\\| ((?:`[A-Za-z_]+`(?:, )?)+) \\|")
	for _, m := range row.FindAllStringSubmatch(readme, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if name = strings.Trim(name, "`"); !names[name] {
				t.Errorf("README.md explains %s, which the schema does not have", name)
			}
		}
	}
}

// explained are the definitions that have a section or a sentence of their own; the others are shapes of single fields.
func explained(name string) bool {
	switch name {
	case "#Runbook", "#Match", "#Step", "#UndoStep", "#Alert", "#Member", "#Organisation":
		return true
	}
	return false
}

func TestRunbookIsACopy(t *testing.T) {
	b := schema.Runbook()
	b[0] = 'X'
	if schema.Runbook()[0] == 'X' {
		t.Error("a caller can change the schema")
	}
}
