package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// perDir is how many events share a directory: listings on the hub stay short.
const perDir = 100

// Path is the event file of the event with the given sequence number and kind, for example
// incidents/2026/11/22/20261122-k3jq5zabcd/journal/0/000001-opened.json.
func Path(dir string, seq int, kind string) string {
	return fmt.Sprintf("%s%d/%06d-%s.json", eventDir(dir), seq/perDir, seq, kind)
}

func eventDir(dir string) string { return EventDir(dir) + "/" }

// EventDir is the directory of all events.
func EventDir(dir string) string { return dir + "/journal" }

// IdentityPath is the file that Identity fills.
func IdentityPath(dir string) string { return dir + "/incident.json" }

// PlanDir is the directory of the frozen plan, with a slash at its end.
func PlanDir(dir string) string { return dir + "/plan/" }

// What the engine adds to the sources in the directory of the frozen plan.
const (
	PlanFile   = "plan.json"  // the runbook.Plan that was made of them, as indented JSON
	SchemaFile = "schema.cue" // the schema that they were held against
)

// PlanPath is the file that holds the frozen runbook.Plan.
func PlanPath(dir string) string { return PlanDir(dir) + PlanFile }

// PlanFiles are those of an incident's files that are in the directory of the frozen plan, by their path below it.
func PlanFiles(dir string, files map[string][]byte) map[string][]byte {
	plan := map[string][]byte{}
	for path, data := range files {
		if rest, ok := strings.CutPrefix(path, PlanDir(dir)); ok {
			plan[rest] = data
		}
	}
	return plan
}

// PlanSources are the files of a frozen plan that it was made of.
func PlanSources(plan map[string][]byte) map[string][]byte {
	out := maps.Clone(plan)
	delete(out, PlanFile)
	delete(out, SchemaFile)
	return out
}

// ReportPath is the report that is written at the end.
func ReportPath(dir string) string { return dir + "/report.md" }

// GatePath is the gate page of a step. n is the index for runbook.Place.
func GatePath(dir, step string, n int) string {
	return fmt.Sprintf("%s/gates/%s.md", dir, runbook.Place(step, n))
}

// EvidencePath is one file of what an attempt left behind, for example .../evidence/0/rollback/1/log.txt, or for an element
// .../evidence/0/restart.each/7/restart.web-1/1/log.txt. n is as for GatePath.
func EvidencePath(dir, step string, attempt int, name string, n int) string {
	return fmt.Sprintf("%s/evidence/%s/%d/%s", dir, runbook.Place(step, n), attempt, name)
}

// The names of the files of an attempt.
const (
	LogName    = "log.txt"     // what it said, redacted and bounded; its SHA-256 is StepEnded.Evidence
	OutputName = "output.json" // StepEnded.Output, the same bytes
)

// PlanDigest is the SHA-256, hex, that Opened.Plan and PlanEdited.Plan hold. files are the files of the frozen plan by their path below
// PlanDir. It is the digest of what coreutils' sha256sum prints for the files in the byte order of their paths.
func PlanDigest(files map[string][]byte) string {
	whole := sha256.New()
	escape := strings.NewReplacer("\\", "\\\\", "\n", "\\n")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		mark, name := "", escape.Replace(path)
		if name != path {
			mark = "\\" // so that no name can pass for two lines
		}
		fmt.Fprintf(whole, "%s%s  %s\n", mark, sum(files[path]), name)
	}
	return hex.EncodeToString(whole.Sum(nil))
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
