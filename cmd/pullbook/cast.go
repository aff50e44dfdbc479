package main

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/runbook"
)

// cast is who takes part in a rehearsal, and the ledger that it is played with.
type cast struct {
	directory string   // a copy of the ledger; its files are the first commit
	people    []string // logins, who are in all of the teams
	teams     []string // org/slug, sorted
}

// castOf finds the people and teams that plans ask, and those whom the organisation names, with as many people as the largest
// rule needs and one more.
func castOf(plans []runbook.Plan, organisation []string) cast {
	var c cast
	most := 1
	all := append(askedBy(plans, &most), organisation...)
	slices.Sort(all)
	for _, who := range slices.Compact(all) {
		if strings.Contains(who, "/") {
			c.teams = append(c.teams, who)
		} else {
			c.people = append(c.people, who)
		}
	}
	for i := 0; len(c.people) < most+2; i++ {
		login := fmt.Sprintf("player-%d", i)
		if i < 3 {
			login = []string{"alice", "bob", "carol"}[i]
		}
		if !slices.Contains(c.people, login) {
			c.people = append(c.people, login)
		}
	}
	slices.Sort(c.people)
	return c
}

// askedBy lists the users and teams that plans name, sorted, each once, and raises most to what the largest rule needs.
func askedBy(plans []runbook.Plan, most *int) []string {
	var all []string
	rule := func(a *runbook.Approval) {
		if a != nil {
			all = append(all, a.Everybody()...)
			*most = max(*most, a.Least())
		}
	}
	for _, p := range plans {
		all = slices.Concat(all, p.Command, p.Thaw, p.Owners, p.SelfApproval)
		rule(p.Calendar.Outside)
		rule(p.Edit)
		for _, f := range p.Calendar.Freezes {
			rule(&f.Rule)
		}
		if g := p.BreakGlass; g != nil {
			all = append(all, g.By...)
			rule(&g.Review)
		}
		for _, s := range p.Steps {
			rule(s.Approval)
			all = append(all, s.CodeOwners...)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), runbook.StandsFor)
}

// owner is the organisation that the ledger belongs to: that of the first team.
func (c cast) owner() string {
	if len(c.teams) == 0 {
		return demoOwner
	}
	org, _, _ := strings.Cut(c.teams[0], "/")
	return org
}

// players are the people as rules see them.
func (c cast) players() []approval.Person {
	out := make([]approval.Person, len(c.people))
	for i, login := range c.people {
		out[i] = approval.Person{ID: int64(101 + i), Login: login, Write: true, Teams: c.teams}
	}
	return out
}

// casting makes the seed of a rehearsal out of the sample's: its people, its teams, its ledger. Whoever wrote the ledger
// takes no part: nobody approves what they wrote.
func (w *world) casting(seed *localhub.Seed, c cast) {
	w.owner, w.librarian = c.owner(), "librarian"
	for slices.Contains(c.people, w.librarian) {
		w.librarian += "-2"
	}
	seed.Users, seed.Teams, seed.Organizations = nil, nil, []localhub.SeedOrganization{{Login: w.owner, Owners: []string{w.librarian}}}
	repo := &seed.Repositories[0]
	signers := repo.Files[signersPath]
	repo.Name, repo.Directory, repo.Files = w.owner+"/"+demoName, c.directory, map[string]string{signersPath: signers}
	repo.Collaborators, repo.Teams = map[string]string{w.librarian: "admin"}, map[string]string{}
	repo.Author = localhub.SeedAuthor{Name: w.librarian, Email: w.librarian + "@rehearsal.test"}
	for i, login := range append(slices.Clone(c.people), w.librarian) {
		w.tokens[login] = "rehearsal_" + rand.Text()
		seed.Users = append(seed.Users, localhub.SeedUser{Login: login, ID: int64(101 + i), Name: login, Email: login + "@rehearsal.test", Token: w.tokens[login]})
		if login != w.librarian {
			repo.Collaborators[login] = "write"
		}
	}
	for _, team := range c.teams {
		org, slug, _ := strings.Cut(team, "/")
		if !slices.ContainsFunc(seed.Organizations, func(o localhub.SeedOrganization) bool { return o.Login == org }) {
			seed.Organizations = append(seed.Organizations, localhub.SeedOrganization{Login: org, Owners: []string{w.librarian}})
		}
		seed.Teams = append(seed.Teams, localhub.SeedTeam{Org: org, Slug: slug, Name: slug, Members: c.people})
		if org == w.owner {
			repo.Teams[slug] = "write"
		}
	}
	seed.Apps[0].Owner, seed.Installations[0].Account = w.owner, w.owner
}

// copyLedger copies the regular files of a ledger, without its history and its incidents. Links are left out.
func copyLedger(from, to string) error {
	src, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return fs.WalkDir(src.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || name == "incidents"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, filepath.FromSlash(name)), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := src.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, filepath.FromSlash(name)), text, info.Mode().Perm()|0o600)
	})
}
