package gitstore

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// TestBranches reads nine branches, which left the default branch at three places, as Branch reads each, with as many requests as
// for two of them. It leaves out what Branch has something to say about: a commit of somebody else's, a merge, what is merged
// already, and a listing that is not true any more.
func TestBranches(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	q := BranchesQuery{At: map[string]Hash{}, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine"))}
	fork, want := h.main, map[string]Branch{}
	write := func(i int) {
		name, dir := fmt.Sprintf("incident/%d", i), fmt.Sprintf("incidents/2026/11/22/2026-%d", i)
		tip := mustCreate(t, s, name, fork, one(dir+"/incident.json", fmt.Sprint(i)))
		q.At[name] = mustAppend(t, s, name, tip, one(dir+"/journal/0/000001-opened.json", "1"))
		mustFlush(t, s, name)
		want[name] = Branch{}
	}
	for i := range 9 {
		if i%3 == 2 {
			fork = h.commit(t, "main", fork, map[string]string{fmt.Sprintf("incidents/2026/11/22/merged-%d/report.md", i): "over"})
		}
		write(i)
	}
	q.Main = h.head(t, "main")
	for name := range want {
		b, err := h.open(t).Branch(t.Context(), BranchQuery{Name: name, Main: q.Main, Signers: q.Signers})
		if err != nil {
			t.Fatal(err)
		}
		want[name] = b
	}
	read := func(q BranchesQuery) (map[string]Branch, int64) {
		t.Helper()
		found, store := map[string]Branch{}, h.open(t)
		if err := store.Branches(t.Context(), q, func(b Branch) { found[b.Name] = b }); err != nil {
			t.Fatal(err)
		}
		return found, store.Stats().Reads
	}
	found, reads := read(q)
	if !reflect.DeepEqual(want, found) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	two := BranchesQuery{Main: q.Main, Signers: q.Signers, At: map[string]Hash{"incident/0": q.At["incident/0"], "incident/8": q.At["incident/8"]}}
	if _, few := read(two); few != reads {
		t.Errorf("two branches took %d requests, nine %d", few, reads)
	}
	h.commit(t, "incident/0", q.At["incident/0"], map[string]string{"pullbook.cue": "people: {mallory: {}}\n"})
	q.At["incident/0"] = h.head(t, "incident/0")
	merge := h.commit(t, "merged", q.At["incident/1"], nil, "-p", q.At["incident/2"].String())
	q.At["incident/1"], q.At["incident/2"] = merge, q.Main
	delete(want, "incident/0")
	delete(want, "incident/1")
	delete(want, "incident/2")
	if found, _ := read(q); !reflect.DeepEqual(want, found) {
		t.Errorf("found %v", slices.Sorted(maps.Keys(found)))
	}
	q.At["incident/3"] = Hash{7}
	if found, _ := read(q); len(found) > 0 {
		t.Errorf("found %v beside one that is not on the hub", slices.Sorted(maps.Keys(found)))
	}
}
