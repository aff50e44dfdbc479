package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// mutation changes a good journal; Decode must refuse it and name the first wrong file.
type mutation struct {
	name   string
	change func(files map[string][]byte)
	path   string // end of the path that the error names
	why    string
}

func replace(path, old, with string) func(map[string][]byte) {
	return func(files map[string][]byte) {
		b := files[sampleDir+path]
		if !bytes.Contains(b, []byte(old)) {
			panic(path + " does not hold " + old)
		}
		files[sampleDir+path] = bytes.Replace(b, []byte(old), []byte(with), 1)
	}
}

func rename(from, to string) func(map[string][]byte) {
	return func(files map[string][]byte) {
		files[sampleDir+to] = files[sampleDir+from]
		delete(files, sampleDir+from)
	}
}

func add(path, content string) func(map[string][]byte) {
	return func(files map[string][]byte) { files[sampleDir+path] = []byte(content) }
}

func mutations() []mutation {
	const ended, opened, ack = "/journal/0/000018-ended.json", "/journal/0/000001-opened.json", "/journal/0/000004-acknowledged.json"
	return []mutation{
		{"no journal", func(f map[string][]byte) { clear(f) }, "/journal/", "there is no event"},
		{"gap", func(f map[string][]byte) { delete(f, sampleDir+ack) }, "/journal/", "event 4 is missing"},
		{"no opening", func(f map[string][]byte) { delete(f, sampleDir+opened) }, "/journal/", "event 1 is missing"},
		{"newer version", replace(ended, `"version": 1`, `"version": 2`), ended, "its version is not 1"},
		{"no version", replace(ended, "  \"version\": 1,\n", ""), ended, "its version is not 1"},
		{"version as text", replace(ended, `"version": 1`, `"version": "1"`), ended, "not JSON of an event"},
		{"unknown field", replace(ended, `"end":`, `"by": 1, "end":`), ended, "unknown field"},
		{"unknown field outside", replace(ended, `"seq":`, `"note": "", "seq":`), ended, "unknown field"},
		{"doubled field", replace(ended, `"kind":`, `"kind": "opened", "kind":`), ended, "canonical"},
		{"field in capitals", replace(ended, `"end":`, `"END":`), ended, "canonical"},
		{"unknown kind", replace(ended, `"ended"`, `"endless"`), ended, "is not known"},
		{"other kind", replace(ended, `"kind": "ended"`, `"kind": "gate-expired"`), ended, "unknown field"},
		{"wrong name", rename(ended, "/journal/0/000018-mitigated.json"), "/journal/0/000018-mitigated.json", "belongs into"},
		{"wrong shard", rename(ended, "/journal/1/000018-ended.json"), "/journal/1/000018-ended.json", "belongs into"},
		{"longer number", rename(ended, "/journal/0/0000018-ended.json"), "/journal/0/0000018-ended.json", "belongs into"},
		{"stray file", add("/journal/README.md", "hello"), "/journal/README.md", "not the name"},
		{"two of one number", add("/journal/0/000018-mitigated.json", "{}"), ended[:18], "two events 18"},
		{"event zero", add("/journal/0/000000-ended.json", "{}"), "/journal/", "event 19 is missing"},
		{"space at the end", replace(ended, "}\n}\n", "}\n}\n\n"), ended, "canonical"},
		{"something follows", replace(ended, "}\n}\n", "}\n}\n{}"), ended, "not JSON"},
		{"other spacing", replace(ended, "  \"kind\"", "\t\"kind\""), ended, "canonical"},
		{"escaped letter", replace(ended, `"resolved"`, `"\u0072esolved"`), ended, "canonical"},
		{"time with zone", replace(ended, `22.678Z"`, `22.678+00:00"`), ended, "is not of the form"},
		{"time with more digits", replace(ended, `22.678Z"`, `22.678001Z"`), ended, "is not of the form"},
		{"null data", replace(ended, "{\n    \"end\": \"resolved\"\n  }", "null"), ended, "canonical"},
		{"edited old event", replace(ack, "looking", "lookinG"), "/journal/0/000005-gate-opened.json", "the chain is broken"},
		{"edited chain", replace(ack, `"prev": "`, `"prev": "0`), ack, "the chain is broken"},
		{"not UTF-8", replace(ack, "looking", "look\xffng"), ack, "canonical"},
		{"other incident", replace(opened, string(sampleID), "20261122-aaaaaaaaaa"), opened, "lives in"},
		{"name of no incident", replace(opened, string(sampleID), "../../etc"), opened, "is not a date"},
		{"empty file", add(ended, ""), ended, "not JSON"},
		{"deep nesting", add(ended, strings.Repeat("[", 20000)), ended, "not JSON"},
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			files, _ := encoded(t, everyKind())
			m.change(files)
			_, _, err := Decode(sampleDir, files)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.HasPrefix(refused.Path, sampleDir+m.path) || !strings.Contains(refused.Why, m.why) {
				t.Errorf("got %v, want %s about %q", refused, m.path, m.why)
			}
		})
	}
}

func TestDecodeRefusesSwappedEvents(t *testing.T) {
	events := everyKind()
	events[3].Data, events[16].Data = events[16].Data, events[3].Data
	swapped, _ := encoded(t, events)
	files, _ := encoded(t, everyKind())
	for _, path := range []string{Path(sampleDir, 4, "mitigated"), Path(sampleDir, 17, "acknowledged")} {
		files[path] = swapped[path]
	}
	delete(files, Path(sampleDir, 4, "acknowledged"))
	delete(files, Path(sampleDir, 17, "mitigated"))
	_, _, err := Decode(sampleDir, files)
	var refused *Error
	if !errors.As(err, &refused) || refused.Path != Path(sampleDir, 5, "gate-opened") {
		t.Errorf("got %v, want the event after the swapped one", err)
	}
}

func TestDecodeAfterReadsWhatOneCommitAdds(t *testing.T) {
	all := everyKind()
	_, head := encoded(t, all[:5])
	added, want, err := Encode(sampleDir, head, all[5:])
	if err != nil {
		t.Fatal(err)
	}
	events, got, err := DecodeAfter(sampleDir, head, added)
	if err != nil || got != want || len(events) != len(all)-5 || events[0].Seq != 6 {
		t.Errorf("got %d events, head %v, %v", len(events), got, err)
	}
	if _, _, err := DecodeAfter(sampleDir, Head{Seq: 5, Sum: want.Sum}, added); err == nil {
		t.Error("events were accepted behind another head")
	}
	if _, _, err := Decode(sampleDir, added); err == nil {
		t.Error("a journal that begins with event 6 was accepted")
	}
}

func TestDecodeLooksOnlyAtTheJournal(t *testing.T) {
	files, head := encoded(t, everyKind())
	files[sampleDir+"/report.md"] = []byte("# Report")
	files["pullbook.cue"] = []byte("x")
	files[sampleDir+"/journalist.txt"] = []byte("x")
	if _, got, err := Decode(sampleDir, files); err != nil || got != head {
		t.Errorf("got %v, %v", got, err)
	}
}

// Whatever Decode accepts, Encode gives back byte for byte, and nothing makes it panic.
func FuzzDecode(f *testing.F) {
	files, _, err := Encode(sampleDir, Head{}, everyKind())
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f.Add(strings.TrimPrefix(path, sampleDir), files[path])
	}
	f.Add("/journal/0/000001-opened.json", []byte(`{"version":1,"data":{"id":"2026"}}`))
	f.Fuzz(func(t *testing.T, path string, b []byte) {
		for _, all := range []map[string][]byte{{sampleDir + path: b}, with(files, sampleDir+path, b)} {
			events, head, err := Decode(sampleDir, all)
			if err != nil {
				continue
			}
			again, gotHead, err := Encode(sampleDir, Head{}, events)
			if err != nil || gotHead != head {
				t.Fatalf("accepted and cannot be written again: %v, %v instead of %v", err, gotHead, head)
			}
			for p, want := range again {
				if !bytes.Equal(all[p], want) {
					t.Fatalf("%s: accepted, and would be written differently", p)
				}
			}
			if _, err := incident.Fold(events); err == nil && len(events) == 0 {
				t.Fatal("a state without events")
			}
		}
	})
}

func with(files map[string][]byte, path string, b []byte) map[string][]byte {
	out := maps.Clone(files)
	out[path] = b
	return out
}

func TestIdentityOnDisk(t *testing.T) {
	opened := everyKind()[0].Data.(incident.Opened)
	opened.Previous = "20261101-k3jq5zabcd"
	golden(t, "identity.txtar", map[string][]byte{IdentityPath(sampleDir): Identity(opened)})
}

func TestPlanDigestIsThatOfSha256sum(t *testing.T) {
	files := map[string][]byte{"runbooks/checkout.cue": []byte("steps: {}\n"), "plan.json": []byte("{}\n"), "b": nil, "B": []byte("x")}
	dir := t.TempDir()
	writeAll(t, dir, files)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("sh is not installed")
	}
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("sha256sum is not installed")
	}
	cmd := exec.Command(sh, "-c", "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want, _, _ := strings.Cut(string(out), " "); PlanDigest(files) != want {
		t.Errorf("got %s, sha256sum says %s", PlanDigest(files), want)
	}
}

func TestPlanDigestTellsPathsApart(t *testing.T) {
	one := map[string][]byte{"a": []byte("1"), "b": []byte("2")}
	forged := map[string][]byte{"a\n" + sum([]byte("2")) + "  b": []byte("1")}
	seen := map[string]string{}
	for name, files := range map[string]map[string][]byte{"two files": one, "a name that holds a line": forged,
		"swapped": {"a": []byte("2"), "b": []byte("1")}, "none": {}, "escaped": {"a\\n": []byte("1")}, "newline": {"a\n": []byte("1")}} {
		digest := PlanDigest(files)
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
	if got := fmt.Sprint(len(seen)); got != "6" {
		t.Errorf("%s digests", got)
	}
}
