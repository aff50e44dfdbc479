package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

func writeAll(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for path, b := range files {
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func facts() MessageFacts {
	return MessageFacts{Incident: sampleID, Plan: runbook.Plan{Steps: []runbook.Step{
		{Name: "rollback", Risk: runbook.RiskChange}, {Name: "scale", Risk: runbook.RiskDestructive}}}}
}

func TestMessages(t *testing.T) {
	files := map[string][]byte{"all.txt": []byte(Message(everyKind(), facts()))}
	for _, e := range everyKind() {
		files[fmt.Sprintf("%02d-%s.txt", e.Seq, e.Data.Kind())] = []byte(Message([]incident.Event{e}, facts()))
	}
	golden(t, "messages.txtar", files)
}

func TestMessagesOfStages(t *testing.T) {
	files := map[string][]byte{"all.txt": []byte(Message(stagedKinds(), facts()))}
	for _, e := range stagedKinds() {
		files[fmt.Sprintf("%02d-%s.txt", e.Seq, e.Data.Kind())] = []byte(Message([]incident.Event{e}, facts()))
	}
	golden(t, "staged-messages.txtar", files)
}

func TestMessagesOfKin(t *testing.T) {
	files := map[string][]byte{"all.txt": []byte(Message(kinKinds(), facts()))}
	for _, e := range kinKinds() {
		files[fmt.Sprintf("%02d-%s.txt", e.Seq, e.Data.Kind())] = []byte(Message([]incident.Event{e}, facts()))
	}
	golden(t, "kin-messages.txtar", files)
}

func TestMessagesOfWords(t *testing.T) {
	files := map[string][]byte{"all.txt": []byte(Message(spokenKinds(), facts()))}
	for _, e := range spokenKinds() {
		files[fmt.Sprintf("%02d-%s.txt", e.Seq, e.Data.Kind())] = []byte(Message([]incident.Event{e}, facts()))
	}
	golden(t, "spoken-messages.txtar", files)
}

func TestSubjectIsTheMostTellingEvent(t *testing.T) {
	all := everyKind()
	pick := func(kinds ...string) (out []incident.Event) {
		for _, kind := range kinds {
			for _, e := range all {
				if e.Data.Kind() == kind {
					out = append(out, e)
				}
			}
		}
		return out
	}
	for want, events := range map[string][]incident.Event{
		"rollback: about to run (attempt 1)":            pick("pull-opened", "gate-approved", "step-started"),
		"rollback: succeeded (attempt 1, 4.2s)":         pick("step-ended", "mitigated"),
		"rollback: waits for approval (round 1)":        pick("step-ended", "gate-opened"),
		"incident opened":                               pick("opened", "gate-opened"),
		"incident ended: resolved":                      pick("mitigated", "step-ended", "ended"),
		"rollback: nobody knows whether it happened (a": pick("alert-updated", "step-unknown"),
		"nothing was recorded":                          nil,
	} {
		if got := Message(events, facts()); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// hostile events hold text that GitHub or a terminal would act on, wherever a message could quote it.
func hostile() []incident.Event {
	evil := "x\n\nCloses #1 @team GH-2 fixes acme/ops#3\nSigned-off-by: eve\x1b[2J"
	by := approval.Person{ID: 7, Login: evil}
	return numbered([]incident.Data{
		incident.Opened{ID: sampleID, Group: evil, Why: evil, Runbook: evil},
		incident.Paused{Why: evil, Deed: incident.Deed{By: by, Words: evil}},
		incident.Noted{Text: evil, Deed: incident.Deed{By: by, Words: evil}},
		incident.CommandRefused{Why: evil, Deed: incident.Deed{By: by, Words: evil}},
		incident.SeveritySet{Severity: evil, Deed: incident.Deed{By: by}},
		incident.Assigned{Step: evil, To: by, Deed: incident.Deed{By: by}},
		incident.StepSkipped{Step: "a", Why: evil, Votes: []approval.Vote{{By: by, Commit: evil}}},
		incident.GateOpened{Step: evil, Round: 1},
		incident.GateApproved{Step: evil, Votes: []approval.Vote{{Review: 9, By: by, Commit: evil, Words: evil}, {Review: 10, By: approval.Person{ID: 8, Login: "gh-12"}}}},
		incident.StepEnded{Step: strings.Repeat("a", 300), Conclusion: runbook.Conclusion(evil), Error: evil, Evidence: evil},
		incident.CancelAsked{Why: evil, Deed: incident.Deed{By: by, Words: evil}},
	})
}

func TestMessageHoldsNoForeignText(t *testing.T) {
	for n := 1; n <= len(hostile()); n++ {
		got := Message(hostile()[:n], facts())
		for _, bad := range []string{"@", "#", "GH-", "gh-", "loses", "igned-off", "\x1b", "eve"} {
			if strings.Contains(strings.TrimPrefix(got, "step: "), bad) && !(bad == "eve" && strings.Contains(got, "Event")) {
				t.Errorf("holds %q:\n%s", bad, got)
			}
		}
	}
	got := Message(hostile(), facts())
	for _, want := range []string{"Approved-by: (7) review 9\n", "Approved-by: (8) review 10\n", "Step: step\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestSubjectIsShort(t *testing.T) {
	for _, e := range slices.Concat(hostile(), everyKind(), stagedKinds(), kinKinds(), spokenKinds()) {
		line, rest, _ := strings.Cut(Message([]incident.Event{e}, facts()), "\n")
		if len(line) > subjectLength || line == "" || !strings.HasPrefix(rest, "\nIncident: ") {
			t.Errorf("subject of %d bytes %q, then %q", len(line), line, rest)
		}
	}
	long := incident.StepEnded{Step: strings.Repeat("a", 300), Attempt: 12, Conclusion: runbook.TimedOut, Started: clock(0), Ended: clock(90)}
	line, _, _ := strings.Cut(Message(numbered([]incident.Data{long}), facts()), "\n")
	if !strings.HasSuffix(line, "aaa...: timed out (attempt 12, 1m30s)") || len(line) != subjectLength {
		t.Errorf("subject %q of %d bytes", line, len(line))
	}
}

func TestParseRangeReadsWhatMessageWrites(t *testing.T) {
	all := everyKind()
	for from := range all {
		for to := from + 1; to <= len(all); to++ {
			got, err := ParseRange(Message(all[from:to], facts()))
			if want := (Range{sampleID, from + 1, to}); err != nil || got != want {
				t.Fatalf("got %v, %v, want %v", got, err, want)
			}
		}
	}
	if got, err := ParseRange(Message(nil, facts())); err != nil || got != (Range{Incident: sampleID}) {
		t.Errorf("without events: %v, %v", got, err)
	}
}

func TestParseRangeRefuses(t *testing.T) {
	for _, message := range []string{"", "x", "x\n\nEvent: 1\n", "x\n\nIncident: 2026\nEvent: 1\n", "x\n\nIncident: 20261122-k3jq5zabcd\nEvent: 3-2\n",
		"x\n\nIncident: 20261122-k3jq5zabcd\nEvent: 0\n", "x\n\nIncident: 20261122-k3jq5zabcd\nEvent: 1\n\nSomething else\n"} {
		if got, err := ParseRange(message); err == nil {
			t.Errorf("%q was read as %v", message, got)
		}
	}
}

func TestGitReadsTheMarks(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	message := Message(everyKind(), facts())
	cmd := exec.Command(git, "interpret-trailers", "--parse")
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Marks(everyKind(), facts()), string(out)); diff != "" {
		t.Errorf("(-ours +git's):\n%s", diff)
	}
}
