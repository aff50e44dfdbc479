package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// A Store holds the hub's state. Make one with Open; it is safe for concurrent use.
type Store struct {
	now     func() time.Time
	maxText int
	db      *database

	mu sync.Mutex
	*world
	changes changes // of the mutation under way
	subs    []func(Event)
	offers  map[[32]byte]offer // manifests whose codes are open, by their digests
	fresh   bool               // the seed was used
	pruned  time.Time          // when old deliveries were last forgotten
}

// world is everything that a store knows but the log of webhooks. What is here is on disk too: see entities.go.
type world struct {
	lastID    int64
	lastEvent int64
	accounts  map[string]*User // by lower-case login; organisations and bots too
	orgs      map[string]*org
	teams     map[string]*Team // by lower-case "org/slug"
	apps      map[int64]*App
	installs  map[int64]*Installation
	repos     map[string]*repo // by lower-case "owner/name"
	repoByID  map[int64]*repo
	tokens    map[[32]byte]credential
}

func newWorld() *world {
	return &world{
		lastID: 10000, accounts: map[string]*User{}, orgs: map[string]*org{}, teams: map[string]*Team{},
		apps: map[int64]*App{}, installs: map[int64]*Installation{}, repos: map[string]*repo{}, repoByID: map[int64]*repo{},
		tokens: map[[32]byte]credential{},
	}
}

type org struct {
	owners, members map[string]bool
	base            Role
}

// repo is a repository with all that hangs on it. The maps besides pulls, reviews, comments, labels and statuses are
// indexes, which the add methods of index.go keep.
type repo struct {
	Repo
	last     int // highest number of a pull request
	pulls    map[int]*Pull
	reviews  map[int][]*Review
	comments map[int][]*Comment
	labels   map[string]Label
	statuses map[string][]Status

	numbers     []int            // of pulls, ascending
	open        []int            // of open pulls, ascending
	heads       map[string][]int // pulls by head branch, ascending
	tips        map[string]string
	commentByID map[int64]*Comment
	runByID     map[int64]*Run
	runsBySHA   map[string][]*Run
	suiteByID   map[int64]*Suite
	suitesBySHA map[string][]*Suite
	checks      int64 // grows with every change of a check
	desk        desk
}

// An Event is one mutation. Name and Action are those of GitHub's webhook; the pointers are copies, set as far as the
// event has them. All of it survives as JSON, since an event is kept on disk until its webhooks are sent.
type Event struct {
	ID            int64  // order of the events that somebody listens to; 0: nobody does
	Key           string // random; the GUIDs of the event's deliveries follow from it
	Name, Action  string
	Repo          Repo
	Sender        User
	Base          string // the hub's own address as the actor reached it
	At            time.Time
	OnlyApp       int64 // not 0: for this App alone
	Pull          *Pull
	Review        *Review
	Comment       *Comment
	Run           *Run
	Suite         *Suite
	Status        *Status
	Label         *Label        // that was put on, taken off, or changed itself
	User          *User         // who was assigned, or asked for a review
	Team          *Team         // which was asked for a review
	Installation  *Installation // of an event about itself
	Repos         []Repo        // that an installation covers, or that were added or removed
	Push          *Push
	Changes       map[string]string // field to its old value
	Before, After string            // of a synchronize
	Dispatch      *Dispatch
	Issue         *Issue
	Remark        *Remark
	Requested     string // identifier of the button that was pressed

	Deployment       *Deployment
	DeploymentStatus *DeploymentStatus
	Workflow         *Workflow
	WorkflowRun      *WorkflowRun
	CodeAlert        *CodeAlert
	SecretAlert      *SecretAlert
}

// A Dispatch is the content of a repository_dispatch.
type Dispatch struct {
	Type    string
	Payload map[string]any
}

// Subscribe registers f for every later event. It is called with the store locked: it must queue and return.
func (s *Store) Subscribe(f func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs = append(s.subs, f)
}

// Now is the hub's clock: UTC, to the second, as GitHub writes times.
func (s *Store) Now() time.Time { return s.now().UTC().Truncate(time.Second) }

// emit queues an event until the mutation is on disk.
func (s *Store) emit(a Actor, r *repo, e Event) {
	e.Repo = r.Repo
	s.queue(a, e)
}

func (s *Store) queue(a Actor, e Event) {
	e.Sender, e.Base, e.At = a.User, a.Base, s.Now()
	if len(s.listening(e)) > 0 {
		s.lastEvent++
		e.ID, e.Key = s.lastEvent, rand.Text()
	}
	s.changes.events = append(s.changes.events, e)
}

// commit ends a mutation, which has locked the store: it writes what has changed and calls the subscribers, or, where
// the mutation or the writing failed, takes everything back.
func (s *Store) commit(err *error) {
	defer s.mu.Unlock()
	c := s.changes
	s.changes = changes{}
	if c.empty() {
		return
	}
	if *err == nil {
		if failed := s.db.save(c, s.counters()); failed != nil {
			*err = fmt.Errorf("keep a change of the hub's state: %w", failed)
		}
	}
	if *err != nil {
		if failed := s.load(); failed != nil {
			*err = errors.Join(*err, fmt.Errorf("take a change of the hub's state back: %w", failed))
		}
		return
	}
	for _, e := range c.events {
		for _, f := range s.subs {
			f(e)
		}
	}
}

func (s *Store) newID() int64 {
	s.lastID++
	return s.lastID
}

func fold(name string) string { return strings.ToLower(name) }

func (s *Store) repo(fullName string) (*repo, error) {
	r, ok := s.repos[fold(fullName)]
	if !ok {
		return nil, NotFound()
	}
	return r, nil
}

func (s *Store) pull(fullName string, number int) (*repo, *Pull, error) {
	r, err := s.repo(fullName)
	if err != nil {
		return nil, nil, err
	}
	p, ok := r.pulls[number]
	if !ok {
		return nil, nil, NotFound()
	}
	return r, p, nil
}

// touch notes that a pull request changed now.
func (s *Store) touch(p *Pull) {
	p.Updated = s.Now()
	p.Revision++
	s.savePull(p)
}

// copyOf is a pull request as it leaves the store, with its repository as it is now.
func copyOf(r *repo, p *Pull) *Pull {
	c := *p
	c.Repo = r.Repo
	c.Revision += r.checks
	c.In = r.milestoneOf(p.Milestone)
	return &c
}

// Account finds a person, organisation or bot.
func (s *Store) Account(login string) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.accounts[fold(login)]; ok {
		return *u, nil
	}
	return User{}, NotFound()
}

// AccountByID finds a person, organisation or bot.
func (s *Store) AccountByID(id int64) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.accounts {
		if u.ID == id {
			return *u, nil
		}
	}
	return User{}, NotFound()
}

// People lists the accounts of type User by login.
func (s *Store) People() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []User
	for _, u := range s.accounts {
		if u.Type == TypeUser {
			out = append(out, *u)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Login < out[j].Login })
	return out
}

// ByEmail finds whose address a commit carries: a seeded one, or the noreply form "id+login@users.noreply...".
func (s *Store) ByEmail(email string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if local, host, ok := strings.Cut(email, "@"); ok && strings.HasPrefix(host, "users.noreply.") {
		if _, login, ok := strings.Cut(local, "+"); ok {
			if u, found := s.accounts[fold(login)]; found {
				return *u, true
			}
		}
	}
	for _, u := range s.accounts {
		if u.Email != "" && strings.EqualFold(u.Email, email) {
			return *u, true
		}
	}
	return User{}, false
}

// Repo finds a repository by "owner/name" without asking who may see it.
func (s *Store) Repo(fullName string) (Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return Repo{}, err
	}
	return r.Repo, nil
}

// AllRepos lists the repositories by full name.
func (s *Store) AllRepos() []Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Repo
	for _, name := range slices.Sorted(maps.Keys(s.repos)) {
		out = append(out, s.repos[name].Repo)
	}
	return out
}

// Repos lists the repositories that the actor may read, by full name.
func (s *Store) Repos(a Actor) []Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Repo
	for _, r := range s.repos {
		if s.canRead(a, r) {
			out = append(out, r.Repo)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].FullName() < out[j].FullName() })
	return out
}

// Org answers whether an organisation exists and returns its account.
func (s *Store) Org(login string) (User, error) {
	u, err := s.Account(login)
	if err != nil || u.Type != TypeOrganization {
		return User{}, NotFound()
	}
	return u, nil
}

// Teams lists an organisation's teams by slug.
func (s *Store) Teams(orgLogin string) []Team {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Team
	for _, t := range s.teams {
		if strings.EqualFold(t.Org, orgLogin) {
			out = append(out, *t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Slug < out[j].Slug })
	return out
}

// Team finds one team.
func (s *Store) Team(orgLogin, slug string) (Team, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.teams[fold(orgLogin+"/"+slug)]; ok {
		return *t, nil
	}
	return Team{}, NotFound()
}

// SetTeam replaces a team's members. GitHub has one call per member; tests and the demo want the whole.
func (s *Store) SetTeam(orgLogin, slug string, members []string) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, ok := s.teams[fold(orgLogin+"/"+slug)]
	if !ok {
		return NotFound()
	}
	for _, m := range members {
		if _, ok := s.accounts[fold(m)]; !ok {
			return NotFound()
		}
	}
	t.Members = append([]string(nil), members...)
	s.saveTeam(t)
	return nil
}
