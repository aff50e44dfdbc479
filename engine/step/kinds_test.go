package step

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// TestKindsOfTheSchema adds up the kinds: each that the schema leaves to runners has a performer, and no other has one.
func TestKindsOfTheSchema(t *testing.T) {
	var left []string
	for _, m := range regexp.MustCompile(`(?m)^\t([a-z]+)\?: +#\w+ +@kind\((.*)\)$`).FindAllStringSubmatch(string(schema.Runbook()), -1) {
		_, err := performerOf(runbook.Kind(m[1]), []byte("{}"))
		engine := slices.Contains(strings.Split(m[2], ", "), "engine")
		if engine == (err == nil) {
			t.Errorf("kind %s: of the engine %v, performer %v", m[1], engine, err)
		}
		if engine == runbook.Kind(m[1]).NeedsRunner() {
			t.Errorf("kind %s: of the engine %v, needs a runner too", m[1], engine)
		}
		if !engine {
			left = append(left, m[1])
		}
	}
	if got := reflect.TypeFor[kinds]().NumMethod(); got != len(left) || len(left) < 3 {
		t.Errorf("the schema leaves %q to runners, which perform %d kinds", left, got)
	}
}
