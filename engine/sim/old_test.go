package sim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

var keepMore = flag.Int("record", 0, "TestOldJournals adds the journals of so many seeds to those that are kept; what is kept never changes")

const oldJournals = "testdata/journals.json.gz"

// oldJournal is the journal of an incident as some version of the program wrote it, and what it folded to then.
type oldJournal struct {
	ID    incident.ID       `json:"id"`
	Files map[string]string `json:"files"`
	State string            `json:"state"`
}

// standing writes down what people and later decisions rest on in a state. A new field of the state is in it only where a journal
// says something of it: what was recorded before the field was there must still fold to the same.
func standing(s incident.State) string {
	var out strings.Builder
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	fmt.Fprintf(&out, "seq %d end %q stage %q pull %d opened %s acked %s mitigated %s ended %s\n", s.Seq, s.End, s.Stage(), s.Pull, at(s.OpenedAt), at(s.AckedAt), at(s.MitigatedAt), at(s.EndedAt))
	fmt.Fprintf(&out, "stopped %t paused %t reopened %t cancelled %t aborted %t debts %d owed %d alerts %d\n", s.Stopped(), s.Paused != nil, s.Reopened != nil, s.Cancelled != nil,
		s.Aborted != nil, len(s.Debts), len(s.Owed()), len(s.Known))
	if len(s.Edits)+len(s.Refused) > 0 {
		fmt.Fprintf(&out, "edits %d refused %d plan %.8s\n", len(s.Edits), len(s.Refused), s.Plan)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Steps)) {
		st := s.Steps[name]
		if st.Workflow != "" || st.Run != 0 {
			fmt.Fprintf(&out, "%s: workflow %.8s run %d %s runs %d stop asked %s\n", name, st.Workflow, st.Run, st.RunURL, st.Runs, at(st.StopAsked))
		}
		fmt.Fprintf(&out, "%s: %s attempt %d round %d %q since %d %s to %s deadline %s gate %.8s open %t level %d repeats %d child %q keys %v output %s\n", name, st.Phase, st.Attempt,
			st.Round, st.Conclusion, st.Since(), at(st.Started), at(st.Ended), at(st.Deadline), st.Gate.Page, st.Gate.Open(), st.Gate.Level, st.Repeats.Attempt, st.Child, st.Keys, st.Output)
	}
	held := s.Locks()
	for _, lock := range slices.Sorted(maps.Keys(held)) {
		fmt.Fprintf(&out, "lock %s by %s\n", lock, held[lock].Step)
	}
	return out.String()
}

// journals are the journals of a simulation that nobody else wrote to.
func (w *World) journals() (out []oldJournal) {
	for _, r := range w.chronicle.records {
		if r.disturbed || r.void || len(r.again) > 0 {
			continue
		}
		kept := oldJournal{ID: r.id, Files: map[string]string{}, State: standing(r.state)}
		for id := r.head; r.commits[id] > 0; id = w.remote.commits[id].before() {
			for path, data := range w.remote.commits[id].files {
				if strings.HasPrefix(path, r.id.Dir()+"/journal/") {
					kept.Files[path] = string(data)
				}
			}
		}
		out = append(out, kept)
	}
	return out
}

// TestOldJournals holds that every journal that was ever recorded folds to the state that it had then.
func TestOldJournals(t *testing.T) {
	all := readOld(t)
	if *keepMore > 0 {
		for seed := range uint64(*keepMore) {
			if r := Run(seed, Options{witness: func(w *World) { all = append(all, w.journals()...) }}); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		writeOld(t, all)
	}
	kinds, events := map[string]bool{}, 0
	for i, old := range all {
		files := map[string][]byte{}
		for path, text := range old.Files {
			files[path] = []byte(text)
		}
		journalled, _, err := journal.Decode(old.ID.Dir(), files)
		if err != nil {
			t.Fatalf("journal %d: %v", i, err)
		}
		state, err := incident.Fold(journalled)
		if err != nil {
			t.Fatalf("journal %d: %v", i, err)
		}
		if got := standing(state); got != old.State {
			t.Errorf("journal %d folds to another state than when it was recorded: %s", i, firstDifference(old.State, got))
		}
		for _, e := range journalled {
			kinds[e.Data.Kind()] = true
		}
		events += len(journalled)
	}
	if len(all) < 200 {
		t.Errorf("%d journals are kept, which is too few", len(all))
	}
	if len(kinds) < 41 {
		t.Errorf("they have events of %d kinds", len(kinds))
	}
	t.Logf("%d journals, %d events of %d kinds: %v", len(all), events, len(kinds), slices.Sorted(maps.Keys(kinds)))
}

// TestUnknownVersionIsRefused holds that a journal of a version that is not known is refused with a sentence.
func TestUnknownVersionIsRefused(t *testing.T) {
	for _, old := range readOld(t)[:20] {
		files := map[string][]byte{}
		for path, text := range old.Files {
			files[path] = []byte(strings.Replace(text, `"version": 1,`, `"version": 2,`, 1))
		}
		_, _, err := journal.Decode(old.ID.Dir(), files)
		if err == nil || !strings.Contains(err.Error(), "its version is not 1, the only one that this program reads") {
			t.Errorf("%s in a version that nobody knows: %v", old.ID, err)
		}
	}
}

func readOld(t *testing.T) (all []oldJournal) {
	packed, err := os.ReadFile(oldJournals)
	if os.IsNotExist(err) && *keepMore > 0 {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func writeOld(t *testing.T, all []oldJournal) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(w).Encode(all); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(oldJournals, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
