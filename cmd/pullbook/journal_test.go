package main

import (
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// sight is what the hub has of one incident. Both parts may be missing.
type sight struct {
	pull   *github.PullRequest
	events []incident.Event
}

// see looks at the first incident of an alert group.
func (s *scene) see(t *testing.T, group string) sight {
	t.Helper()
	return s.seeSlot(t, incident.Slot(group, ""))
}

// seeSlot looks at the incident with a slot, or at the only one where the slot is empty. Several pull requests for it are a failure at any time.
func (s *scene) seeSlot(t *testing.T, slot string) sight {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	options := github.PullRequestListOptions{State: "all"}
	if slot != "" {
		options.Head = demoOwner + ":" + incident.BranchPrefix + slot
	}
	pulls, _, err := c.PullRequests.List(t.Context(), demoOwner, demoName, &options)
	if err != nil || len(pulls) == 0 {
		return sight{} // the hub may be away, as far as some tests are concerned
	}
	if len(pulls) > 1 {
		t.Fatalf("%d pull requests for one problem", len(pulls))
	}
	return sight{pulls[0], s.events(t, pulls[0].GetHead().GetSHA(), slot)}
}

// events reads the journal at a commit, once.
func (s *scene) events(t *testing.T, commit, slot string) []incident.Event {
	t.Helper()
	s.mu.Lock()
	known := s.read[commit+slot]
	s.mu.Unlock()
	if len(known) > 0 {
		return known
	}
	clone, err := gitstore.OpenClone(s.world.bareRepo())
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	events := journalOf(clone, commit, slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[commit+slot] = events
	return events
}

// await looks at the first incident of a group until it is as it should be.
func (s *scene) await(t *testing.T, group, what string, good func(sight) bool) sight {
	t.Helper()
	return s.awaitSlot(t, incident.Slot(group, ""), what, good)
}

func (s *scene) awaitSlot(t *testing.T, slot, what string, good func(sight) bool) sight {
	t.Helper()
	var seen sight
	waitFor(t, what, func() bool {
		seen = s.seeSlot(t, slot)
		return seen.pull != nil && good(seen)
	})
	return seen
}

func (s sight) merged() bool { return s.pull != nil && s.pull.MergedAt != nil }

// find returns the first event of a type.
func find[T incident.Data](s sight) (T, bool) {
	for _, e := range s.events {
		if d, ok := e.Data.(T); ok {
			return d, true
		}
	}
	var none T
	return none, false
}

func has[T incident.Data](s sight) bool {
	_, ok := find[T](s)
	return ok
}

func count[T incident.Data](s sight) (n int) {
	for _, e := range s.events {
		if _, ok := e.Data.(T); ok {
			n++
		}
	}
	return n
}

// ended returns the end of a step's latest attempt.
func (s sight) ended(step string) (end incident.StepEnded, ok bool) {
	for _, e := range s.events {
		if d, is := e.Data.(incident.StepEnded); is && d.Step == step {
			end, ok = d, true
		}
	}
	return end, ok
}

// started reports whether a step's intent or request is on the branch.
func (s sight) started(step string) bool {
	for _, e := range s.events {
		if d, is := e.Data.(incident.StepStarted); is && d.Step == step {
			return true
		}
	}
	return false
}

// journalOf reads the events of the incident with a slot at a commit. What cannot be read yet is empty.
func journalOf(clone *gitstore.Clone, commit, slot string) []incident.Event {
	dir, files := incidentFiles(clone, commit, slot)
	events, _, err := journal.Decode(dir, files)
	if err != nil {
		return nil
	}
	return events
}

// incidentFiles reads the directory of the incident with a slot at a commit.
func incidentFiles(clone *gitstore.Clone, commit, slot string) (dir string, files map[string][]byte) {
	hash, err := gitstore.ParseHash(commit)
	if err != nil {
		return "", nil
	}
	c, err := clone.Commit(hash)
	if err != nil {
		return "", nil
	}
	all, err := clone.Files(c.Tree, "incidents")
	if err != nil {
		return "", nil
	}
	for path := range all {
		if d, ok := strings.CutSuffix(path, "/incident.json"); ok && strings.HasSuffix(d, slot) {
			dir = d
		}
	}
	files = map[string][]byte{}
	for path, f := range all {
		if dir != "" && strings.HasPrefix(path, dir+"/") {
			files[path] = f.Data
		}
	}
	return dir, files
}

// pullBranches lists the branches of all pull requests, the newest first.
func (s *scene) pullBranches(t *testing.T) (branches []string) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	pulls, _, err := c.PullRequests.List(t.Context(), demoOwner, demoName, &github.PullRequestListOptions{State: "all"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pulls {
		branches = append(branches, p.GetHead().GetRef())
	}
	return branches
}
