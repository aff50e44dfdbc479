package journal

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares files with testdata/<name>. The format is on disk in people's ledgers: a change here needs a new version.
func golden(t *testing.T, name string, files map[string][]byte) {
	t.Helper()
	archive := &txtar.Archive{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		archive.Files = append(archive.Files, txtar.File{Name: path, Data: files[path]})
	}
	got, path := txtar.Format(archive), filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestEveryKindOnDisk(t *testing.T) {
	events := everyKind()
	files, head := encoded(t, events)
	golden(t, "every-kind.txtar", files)
	got, gotHead, err := Decode(sampleDir, files)
	if err != nil {
		t.Fatal(err)
	}
	if gotHead != head {
		t.Errorf("head %v, want %v", gotHead, head)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestStagedKindsOnDisk(t *testing.T) {
	events := stagedKinds()
	files, head := encoded(t, events)
	golden(t, "staged-kinds.txtar", files)
	got, gotHead, err := Decode(sampleDir, files)
	if diff := cmp.Diff(events, got); err != nil || gotHead != head || diff != "" {
		t.Errorf("head %v, want %v, error %v, read back (-want +got):\n%s", gotHead, head, err, diff)
	}
}

func TestSpokenKindsOnDisk(t *testing.T) {
	events := spokenKinds()
	files, head := encoded(t, events)
	golden(t, "spoken-kinds.txtar", files)
	got, gotHead, err := Decode(sampleDir, files)
	if diff := cmp.Diff(events, got); err != nil || gotHead != head || diff != "" {
		t.Errorf("head %v, want %v, error %v, read back (-want +got):\n%s", gotHead, head, err, diff)
	}
}

func TestKinKindsOnDisk(t *testing.T) {
	events := kinKinds()
	files, head := encoded(t, events)
	golden(t, "kin-kinds.txtar", files)
	got, gotHead, err := Decode(sampleDir, files)
	if diff := cmp.Diff(events, got); err != nil || gotHead != head || diff != "" {
		t.Errorf("head %v, want %v, error %v, read back (-want +got):\n%s", gotHead, head, err, diff)
	}
	if _, err := incident.Fold(got); err != nil {
		t.Error(err)
	}
}

func TestGoldenJournalIsStillRead(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "every-kind.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	events, _, err := Decode(sampleDir, files)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 18 {
		t.Errorf("%d events, want one of each of the 18 kinds", len(events))
	}
}

// Any change of any byte is either refused or changes the head, which the next event and the commit hold.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	all := everyKind()
	files, head := encoded(t, numbered([]incident.Data{all[0].Data, all[3].Data, all[9].Data, all[17].Data}))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		whole := files[path]
		for i := range whole {
			for _, bit := range []byte{0x01, 0x20} {
				b := bytes.Clone(whole)
				b[i] ^= bit
				files[path] = b
				_, got, err := Decode(sampleDir, files)
				if err == nil && got == head {
					t.Fatalf("%s: byte %d: the change from %q to %q was not noticed", path, i, whole[i], b[i])
				}
				last := strings.Contains(path, "000004")
				if err == nil && !last {
					t.Fatalf("%s: byte %d: accepted, although events follow", path, i)
				}
			}
		}
		files[path] = whole
	}
}

func TestEncodeInPiecesGivesTheSameJournal(t *testing.T) {
	events := everyKind()
	whole, want := encoded(t, events)
	for cut := range events {
		first, head := encoded(t, events[:cut])
		rest, got, err := Encode(sampleDir, head, events[cut:])
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(first, rest)
		if got != want || !maps.EqualFunc(first, whole, bytes.Equal) {
			t.Errorf("cut at %d: the journal differs", cut)
		}
	}
}

// Long random journals survive the way to bytes and back.
func TestEncodeThenDecodeIsTheIdentity(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		kinds := slices.Concat(everyKind(), stagedKinds()[1:], kinKinds()[1:], spokenKinds()[1:])
		data := []incident.Data{kinds[0].Data}
		for range r.IntN(250) {
			d := kinds[1+r.IntN(len(kinds)-1)].Data
			if ended, ok := d.(incident.StepEnded); ok {
				ended.Attempt, ended.Error = r.IntN(9), randomText(r)
				ended.Output, _ = json.Marshal(map[string]any{randomText(r): []any{r.Float64(), randomText(r), nil}})
				d = ended
			}
			if c, ok := d.(incident.CancelAsked); ok {
				c.Why = randomText(r)
				d = c
			}
			data = append(data, d)
		}
		events := numbered(data)
		files, head := encoded(t, events)
		got, gotHead, err := Decode(sampleDir, files)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(events, got); diff != "" || gotHead != head {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func randomText(r *rand.Rand) string {
	alphabet := []rune("az09 \n\t\"\\<>&\u2028\u202e\x00\x1bäλ🙂{}[]")
	text := make([]rune, r.IntN(12))
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(text)
}

func TestEncodeRefuses(t *testing.T) {
	good := everyKind()
	ended := incident.StepEnded{Step: "logs", Attempt: 1, Conclusion: runbook.Succeeded}
	spaced, broken, foreign := ended, ended, ended
	spaced.Output, broken.Output, foreign.Output = json.RawMessage(`{"a": 1}`), json.RawMessage(`{"a":`), json.RawMessage("\"\xff\"")
	other := good[0].Data.(incident.Opened)
	other.ID = "20261122-aaaaaaaaaa"
	short := good[0].Data.(incident.Opened)
	short.ID = "2026"
	tests := map[string]struct {
		head  Head
		event incident.Event
		want  string
	}{
		"nothing said":      {Head{}, incident.Event{Seq: 1, At: clock(0)}, "says nothing"},
		"gap":               {Head{Seq: 3, Sum: "x"}, incident.Event{Seq: 5, At: clock(0), Data: incident.Ended{}}, "does not follow event 3"},
		"microseconds":      {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0).Add(time.Microsecond), Data: incident.Ended{}}, "whole milliseconds"},
		"local time":        {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0).In(time.FixedZone("", 3600)), Data: incident.Ended{}}, "UTC"},
		"year 10000":        {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0).AddDate(8000, 0, 0), Data: incident.Ended{}}, "year 10026"},
		"spaced output":     {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0), Data: spaced}, "not compact"},
		"broken output":     {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0), Data: broken}, "output of step logs"},
		"output in latin-1": {Head{Seq: 3}, incident.Event{Seq: 4, At: clock(0), Data: foreign}, "UTF-8"},
		"other directory":   {Head{}, incident.Event{Seq: 1, At: clock(0), Data: other}, "lives in"},
		"no name":           {Head{}, incident.Event{Seq: 1, At: clock(0), Data: short}, "is not a date"},
		"no opening":        {Head{}, incident.Event{Seq: 1, At: clock(0), Data: incident.Ended{}}, "begins with the kind opened"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files, _, err := Encode(sampleDir, test.head, []incident.Event{test.event})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d files and error %v, want one about %q", len(files), err, test.want)
			}
		})
	}
}

func TestNormalIsWhatDecodeGives(t *testing.T) {
	e := incident.Event{Seq: 2, At: clock(3).Add(999 * time.Microsecond).In(time.FixedZone("CET", 3600)),
		Data: incident.StepEnded{Step: "logs", Attempt: 1, Output: json.RawMessage("{ \"b\" : 1.0,\n\"a\":\"<\" }")}}
	n, err := Normal(e)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := encoded(t, []incident.Event{everyKind()[0], n})
	events, _, err := Decode(sampleDir, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n, events[1]); diff != "" {
		t.Errorf("(-normal +decoded):\n%s", diff)
	}
	if got := string(n.Data.(incident.StepEnded).Output); got != `{"b":1.0,"a":"<"}` {
		t.Errorf("output %s", got)
	}
	if _, err := Normal(incident.Event{Data: incident.StepEnded{Step: "logs", Output: json.RawMessage("{")}}); err == nil {
		t.Error("an output that is not JSON was taken")
	}
}

func ExamplePath() {
	dir := incident.ID("20261122-k3jq5zabcd").Dir()
	fmt.Println(Path(dir, 100, "step-ended"))
	fmt.Println(GatePath(dir, "rollback", 3))
	fmt.Println(EvidencePath(dir, "rollback", 2, LogName, 250))
	// Output:
	// incidents/2026/11/22/20261122-k3jq5zabcd/journal/1/000100-step-ended.json
	// incidents/2026/11/22/20261122-k3jq5zabcd/gates/0/rollback.md
	// incidents/2026/11/22/20261122-k3jq5zabcd/evidence/2/rollback/2/log.txt
}
