package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/proposal"
)

// restNote is what a run leaves with the lease for the next one: which incidents rest, and what the hub showed when they were
// looked at. Only a run that holds the same signing key believes it. What it says of the hub was read before the incidents
// were looked at: what happened meanwhile makes the next run look again.
type restNote struct {
	Program   string            `json:"program"` // digest of the program that left it
	Signers   string            `json:"signers"` // git's id of allowed_signers on the default branch
	Heads     string            `json:"heads"`   // digest of all branches
	Members   map[string]string `json:"members"`
	Incidents []restEntry       `json:"incidents"`
	Proposals map[int]string    `json:"proposals"` // heads of people's pull requests that have their check
}

// restEntry is one incident that rests.
type restEntry struct {
	engine.Rest
	Talk  string    `json:"talk"`         // digest of what people did
	Until time.Time `json:"until"`        // after that it is looked at, whatever the note says
	Due   time.Time `json:"due,omitzero"` // when its first timer ends
}

// restFor is how long an incident rests at most. What no digest shows is seen then.
const restFor = 24 * time.Hour

// glance is what a run saw before it took the ledger.
type glance struct {
	heads  map[string]gitstore.Hash
	survey github.Survey
	note   restNote    // empty where nobody left one
	awake  []string    // the incidents' branches that have to be looked at
	gone   []restEntry // incidents whose branches are not there any more
	vet    bool        // a pull request of a person may need a check
}

// quiet reports whether nothing is due in the whole ledger.
func (g *glance) quiet() bool {
	return g != nil && len(g.awake) == 0 && !g.vet && g.note.Program != ""
}

// glance reads, in three requests besides the token's, whether anything is due. It needs no lease: what it sees is either
// as the note says, or it is looked at.
func (svc *service) glance(ctx context.Context, now, soon time.Time) (*glance, error) {
	own, err := gitstore.ParseAllowedSigners([]byte(svc.signer.AllowedLine(principal)))
	if err != nil {
		return nil, err // unreachable: the line is this engine's own
	}
	left, err := svc.store.Left(ctx, own, now)
	if err != nil && !errors.Is(err, gitstore.ErrNothingLeft) {
		return nil, err
	}
	g := &glance{heads: left.Heads}
	if err == nil {
		if err := json.Unmarshal(left.Note, &g.note); err != nil {
			return nil, fmt.Errorf("read what the last run left: %w", err)
		}
	}
	if g.survey, err = svc.hub.Survey(ctx, github.SurveyQuestion{Prefix: incident.BranchPrefix, File: signersPath, Teams: slices.Sorted(maps.Keys(g.note.Members))}); err != nil {
		return nil, err
	}
	g.sort(now, soon)
	return g, nil
}

// sort finds out what is awake, or will be soon.
func (g *glance) sort(now, soon time.Time) {
	n, s := &g.note, g.survey
	for _, e := range n.Incidents {
		if g.heads[e.Branch].IsZero() {
			g.gone, g.awake = append(g.gone, e), append(g.awake, e.Branch)
		}
	}
	if n.Program != programDigest() || n.Signers != s.File {
		*n = restNote{}
	}
	same := n.Heads == headsDigest(g.heads)
	n.Incidents = slices.DeleteFunc(n.Incidents, func(e restEntry) bool {
		grown := slices.ContainsFunc(e.Teams, func(team string) bool { return s.Members[team] == "" || s.Members[team] != n.Members[team] })
		return e.Awake || grown || !now.Before(e.Until) || e.Talk == "" || e.Talk != s.Talk[e.Branch] || e.Head != g.heads[e.Branch].String() || e.Wide && !same || !e.Due.IsZero() && !soon.Before(e.Due)
	})
	for _, branch := range slices.Sorted(maps.Keys(g.heads)) {
		resting := slices.ContainsFunc(n.Incidents, func(e restEntry) bool { return e.Branch == branch })
		if strings.HasPrefix(branch, incident.BranchPrefix) && !resting {
			g.awake = append(g.awake, branch)
		}
	}
	g.vet = !s.Whole
	for _, p := range s.Proposals {
		g.vet = g.vet || !p.Incident() && n.Proposals[p.Number] != p.Head
	}
}

// standings are how the incidents stand that rest.
func (g *glance) standings() (out []engine.Standing, next time.Time) {
	if g == nil {
		return nil, next
	}
	for _, e := range g.note.Incidents {
		out = append(out, e.Standing)
		if !e.Due.IsZero() && (next.IsZero() || e.Due.Before(next)) {
			next = e.Due
		}
	}
	return out, next
}

// programDigest tells this program from every other one: one that was built from other sources may find something due where
// this one does not. Empty: it cannot be told.
func programDigest() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// headsDigest is equal while no branch has moved.
func headsDigest(heads map[string]gitstore.Hash) string {
	h := sha256.New()
	for _, branch := range slices.Sorted(maps.Keys(heads)) {
		fmt.Fprintf(h, "%q %s\n", branch, heads[branch])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// leave writes the note for the next run.
func (a *advance) leave(ctx context.Context, now time.Time) error {
	g := a.seen
	if g == nil {
		return nil
	}
	due, err := a.svc.inbox.Due(ctx)
	if err != nil {
		return err
	}
	next := restNote{Program: programDigest(), Signers: g.survey.File, Heads: headsDigest(g.heads), Members: g.survey.Members, Proposals: a.svc.engine.Vetted()}
	for number, head := range g.note.Proposals { // those that were not looked at again
		if slices.ContainsFunc(g.survey.Proposals, func(p proposal.Pull) bool { return p.Number == number && p.Head == head }) {
			next.Proposals[number] = head
		}
	}
	looked := a.svc.engine.Resting()
	for _, r := range looked {
		if r.Head != "" {
			next.Incidents = append(next.Incidents, restEntry{Rest: r, Talk: g.survey.Talk[r.Branch], Until: now.Add(restFor), Due: due[r.Branch]})
			next.ask(r.Teams)
		}
	}
	for _, e := range g.note.Incidents {
		if !slices.ContainsFunc(looked, func(r engine.Rest) bool { return r.Branch == e.Branch }) {
			next.Incidents = append(next.Incidents, e)
		}
	}
	for i := range next.Incidents {
		next.Incidents[i].Awake = next.Incidents[i].Awake || a.failing(next.Incidents[i].Branch)
	}
	text, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write what the next run needs to know: %w", err)
	}
	return a.svc.tenure.Leave(text)
}

// ask makes the next survey ask for teams.
func (n *restNote) ask(teams []string) {
	for _, team := range teams {
		if _, known := n.Members[team]; !known {
			n.Members[team] = ""
		}
	}
}

// failing reports whether something about a branch could not be handled.
func (a *advance) failing(branch string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.failed {
		if strings.HasSuffix(key, " "+branch) {
			return true
		}
	}
	return false
}
