package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// review is a hub with pull requests, and a ledger whose commits are maps of files.
type review struct {
	Ledger
	Inbox
	pulls   []proposal.Pull
	changes map[int][]proposal.Change
	commits map[string]map[string]string
	done    map[string]proposal.Check
	asked   []string
	vetted  []runbook.Batch
	fail    error // of the next report
}

func (r *review) Proposals(context.Context) ([]proposal.Pull, error) { return r.pulls, nil }
func (r *review) Changes(_ context.Context, p proposal.Pull) ([]proposal.Change, error) {
	n := p.Number
	if r.changes[n] == nil {
		return nil, proposal.ErrTooLarge
	}
	return r.changes[n], nil
}
func (r *review) Writers(context.Context, int) (proposal.Writers, error) {
	return proposal.Writers{}, errors.New("nobody edits a plan here")
}
func (r *review) Vetted(_ context.Context, commit string) (bool, error) {
	r.asked = append(r.asked, commit)
	_, ok := r.done[commit]
	return ok, nil
}
func (r *review) Report(_ context.Context, c proposal.Check) error {
	if err := r.fail; err != nil {
		r.fail = nil
		return err
	}
	r.done[c.Pull.Head] = c
	return nil
}
func (r *review) Heads(context.Context) (map[string]string, error) {
	return map[string]string{"main": "tip"}, nil
}
func (r *review) Files(_ context.Context, commit string, paths ...string) (map[string]File, error) {
	out := map[string]File{}
	for p, text := range r.commits[commit] {
		if slices.ContainsFunc(paths, func(dir string) bool { return below(p, dir) }) {
			out[p] = File{Data: []byte(text)}
		}
	}
	return out, nil
}
func (r *review) list(ctx context.Context, commit, path string) (map[string]bool, error) {
	files, err := r.Files(ctx, commit, path)
	out := map[string]bool{}
	for p := range files {
		out[p] = strings.Contains(string(files[p].Data), "#!")
	}
	return out, err
}

// CheckAll finds the word mistake, and takes a line "use PATH" as a use of a file.
func (r *review) CheckAll(_ context.Context, b runbook.Batch) (out []runbook.Checkup, err error) {
	r.vetted = append(r.vetted, b)
	for _, name := range slices.Concat(b.Check, b.Match) {
		c := runbook.Checkup{Runbook: name}
		text := string(b.Files[name])
		if strings.Contains(text, "mistake") && slices.Contains(b.Check, name) {
			c.Problems = []runbook.Problem{{File: name, Line: 1, Text: "is wrong"}}
		}
		if _, file, ok := strings.Cut(text, "use "); ok {
			c.Facts.Uses = []runbook.Use{{File: runbook.File{Path: strings.Trim(file, "\""), Exec: true}, At: runbook.Spot{File: name, Line: 1, Column: 2}}}
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *review) engine() *Engine {
	return New(Config{Ledger: r, Inbox: r, DefaultBranch: "main", Log: slog.New(slog.DiscardHandler), Reviewing: Reviewing{Hub: r, Checker: r, List: r.list}})
}

// TestVetProposals: each head is vetted once, as it would be merged; those of incidents are not.
func TestVetProposals(t *testing.T) {
	r := &review{done: map[string]proposal.Check{}, commits: map[string]map[string]string{
		"tip": {"pullbook.cue": "", "runbooks/a.cue": "fine", "runbooks/b.cue": `use "scripts/x"`, "scripts/x": "#!", "runbooks/old.cue": "mistake"},
		// The branches are older than the tip: what they did not change does not count.
		"h1": {"runbooks/a.cue": "mistake", "runbooks/b.cue": "mistake"},
		"h2": {"README.md": "x", "runbooks/a.cue": "mistake"},
		"h4": {"scripts/x": "no program"},
		"h5": {"runbooks/a.cue": "fine"},
		"h6": {"runbooks/a.cue": "fine", "pullbook.cue": "x"},
	}, changes: map[int][]proposal.Change{1: {{Path: "runbooks/a.cue"}}, 2: {{Path: "README.md"}}, 4: {{Path: "scripts/x", Mode: true}}, 5: {{Path: "scripts/x", Gone: true}},
		6: {{Path: "pullbook.cue"}}, 8: {{Path: "runbooks/x\x00.cue"}}}}
	for i := range 9 {
		r.pulls = append(r.pulls, proposal.Pull{Number: i, Head: fmt.Sprintf("h%d", i), Branch: "fix"})
	}
	r.pulls[3].Branch = "incident/x"
	r.pulls = slices.Delete(r.pulls, 0, 1)
	e := r.engine()
	r.fail = errors.New("the hub is away")
	if err := e.Handle(t.Context(), Message{Kind: KindProposals}); err == nil || !strings.Contains(err.Error(), "pull request 1") {
		t.Fatalf("a report that failed: %v", err)
	}
	if err := e.Handle(t.Context(), Message{Kind: KindProposals}); err != nil {
		t.Fatal(err)
	}
	for head, want := range map[string]string{"h1": "failure: 1 mistake runbooks/a.cue:1", "h2": "success: Nothing to vet", "h4": "failure: 1 mistake runbooks/b.cue:1",
		"h5": "failure: 1 mistake runbooks/b.cue:1", "h6": "failure: 1 mistake runbooks/old.cue:1", "h7": "failure: Cannot be vetted", "h8": "failure: Cannot be vetted"} {
		c := r.done[head]
		got := c.Conclusion + ": " + c.Title
		for _, a := range c.Annotations {
			got += fmt.Sprintf(" %s:%d", a.Path, a.Line)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", head, got, want)
		}
	}
	if len(r.done) != 7 {
		t.Errorf("%d checks", len(r.done))
	}
	asked, vetted := len(r.asked), len(r.vetted)
	if err := e.Handle(t.Context(), Message{Kind: KindProposals}); err != nil || len(r.asked) != asked {
		t.Errorf("what is known to be done was asked for again: %v, %v", r.asked[asked:], err)
	}
	if err := r.engine().Handle(t.Context(), Message{Kind: KindProposals}); err != nil || len(r.asked) != asked+7 || len(r.vetted) != vetted {
		t.Errorf("a new engine vetted again what is done: %d batches, %v", len(r.vetted)-vetted, err)
	}
	vetted = len(r.vetted)
	r.pulls = append(r.pulls, proposal.Pull{Number: 9, Head: "h9", Branch: "edit/a", Base: "incident/x"})
	r.changes[9] = []proposal.Change{{Path: "incidents/2026/11/22/x/plan/runbooks/a.cue"}}
	for _, commit := range []string{"h1", "h3", "h9", "gone"} { // of an incident, of an edit, which is never green, and of nothing that is open any more, there is nothing to check
		r.commits["h1"]["runbooks/a.cue"] = "fine"
		if err := e.Handle(t.Context(), Message{Kind: KindAgain, Key: AgainKey(commit)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.vetted) != vetted+1 || r.done["h1"].Conclusion != "success" || len(r.done) != 7 {
		t.Errorf("somebody asked once more: %d batches, %+v", len(r.vetted)-vetted, r.done["h1"])
	}
	r.pulls = []proposal.Pull{{Number: 1, Head: "h5", Branch: "fix"}, {Number: 9, Head: "h9", Branch: "incident/x", Fork: true}}
	r.changes[9] = []proposal.Change{{Path: "README.md"}}
	if err := e.Handle(t.Context(), Message{Kind: KindProposals}); err != nil || r.done["h9"].Conclusion != "success" {
		t.Errorf("a fork's branch: %+v, %v", r.done["h9"], err)
	}
	// A branch of somebody's at the head of an incident would get the incident a check that says that it is well.
	r.pulls = append(r.pulls, proposal.Pull{Number: 10, Head: "h10", Branch: "mine"}, proposal.Pull{Number: 11, Head: "h10", Branch: "incident/y"})
	r.changes[10] = []proposal.Change{{Path: "README.md"}}
	for _, m := range []Message{{Kind: KindProposals}, {Kind: KindAgain, Key: AgainKey("h10")}} {
		if err := e.Handle(t.Context(), m); err != nil || r.done["h10"].Title != "" {
			t.Errorf("the head of an incident: %+v, %v", r.done["h10"], err)
		}
	}
	// What incidents recorded is nobody's to change, and what else is changed is vetted all the same.
	for number, changes := range map[int][]proposal.Change{12: {{Path: "incidents/2026/11/22/x/report.md"}, {Path: "README.md"}}, 13: {{Path: "incidents/2026/11/22/x/report.md", Gone: true}, {Path: "runbooks/b.cue"}}} {
		head := fmt.Sprintf("h%d", number)
		r.pulls = append(r.pulls, proposal.Pull{Number: number, Head: head, Branch: "mine"})
		r.changes[number], r.commits[head] = changes, map[string]string{"runbooks/b.cue": "mistake"}
	}
	if err := e.Handle(t.Context(), Message{Kind: KindProposals}); err != nil {
		t.Fatal(err)
	}
	for head, want := range map[string]string{"h12": "failure: The recorded history may not be changed", "h13": "failure: 2 mistakes"} {
		c := r.done[head]
		if c.Conclusion+": "+c.Title != want || len(c.Annotations) == 0 || c.Annotations[0].Path != "incidents/2026/11/22/x/report.md" || !strings.Contains(c.Summary, "--source=origin/main... ") {
			t.Errorf("%s: %+v, want %s", head, c, want)
		}
	}
	if len(e.vetted) != 4 {
		t.Errorf("remembers %v", e.vetted)
	}
}

// TestScopeIsSmall: of a large ledger only what is changed is checked, and of the others the matches are read.
func TestScopeIsSmall(t *testing.T) {
	r := &review{done: map[string]proposal.Check{}, commits: map[string]map[string]string{"tip": {}, "h1": {"runbooks/r7.cue": "fine"}},
		changes: map[int][]proposal.Change{1: {{Path: "runbooks/r7.cue"}}}, pulls: []proposal.Pull{{Number: 1, Head: "h1", Branch: "fix"}}}
	for i := range 1000 {
		r.commits["tip"][fmt.Sprintf("runbooks/r%d.cue", i)] = "fine"
	}
	if err := r.engine().Handle(t.Context(), Message{Kind: KindProposals}); err != nil {
		t.Fatal(err)
	}
	if len(r.vetted) != 1 || len(r.vetted[0].Check) != 1 || len(r.vetted[0].Match) != 999 {
		t.Errorf("%d batches", len(r.vetted))
	}
}
