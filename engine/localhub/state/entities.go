package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Every entity is a row of its kind. A mutation calls the save or drop method of what it has changed, and commit writes
// it; load reads the kinds in the order of this table, since later ones refer to earlier ones. To keep something new on
// disk: a row here, a save method, and a line in everything, which Verify compares with the disk.
func (s *Store) kinds() []kind {
	return append([]kind{
		{"account", decoded(func(w *world, key string, u *User) error { w.accounts[key] = u; return nil })},
		{"org", decoded(loadOrg)},
		{"team", decoded(func(w *world, key string, t *Team) error { w.teams[key] = t; return nil })},
		{"app", decoded(func(w *world, _ string, a *App) error { w.apps[a.ID] = a; return nil })},
		{"repo", decoded(func(w *world, _ string, x *repoRow) error {
			r := s.newRepo(x.Repo)
			r.last = x.Last
			w.addRepo(r)
			return nil
		})},
		{"installation", decoded(loadInstallation)},
		{"token", decoded(loadToken)},
		{"label", hanging(func(_ *world, r *repo, l *Label) error { r.labels[fold(l.Name)] = *l; return nil })},
		{"pull", hanging(func(_ *world, r *repo, x *pullRow) error { r.addPull(x.Pull); return nil })},
		{"review", hanging(func(_ *world, r *repo, v *Review) error { r.reviews[v.Pull] = append(r.reviews[v.Pull], v); return nil })},
		{"comment", hanging(func(_ *world, r *repo, c *Comment) error { r.addComment(c); return nil })},
		{"suite", hanging(loadSuite)},
		{"run", hanging(loadRun)},
		{"status", hanging(func(_ *world, r *repo, x *Status) error {
			r.statuses[x.SHA] = append(r.statuses[x.SHA], *x)
			return nil
		})},
	}, deskKinds()...)
}

type kind struct {
	name string
	load func(w *world, key string, body []byte) error
}

func decoded[T any](put func(w *world, key string, entity *T) error) func(*world, string, []byte) error {
	return func(w *world, key string, body []byte) error {
		x := new(T)
		if err := json.Unmarshal(body, x); err != nil {
			return err
		}
		return put(w, key, x)
	}
}

var errDangling = errors.New("it belongs to something that is not there")

// hanging decodes what belongs to a repository, whose id begins the key.
func hanging[T any](put func(w *world, r *repo, entity *T) error) func(*world, string, []byte) error {
	return decoded(func(w *world, key string, x *T) error {
		head, _, _ := strings.Cut(key, "/")
		id, err := strconv.ParseInt(head, 10, 64)
		if err != nil {
			return err
		}
		r, ok := w.repoByID[id]
		if !ok {
			return errDangling
		}
		return put(w, r, x)
	})
}

func key(ids ...int64) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, "/")
}

// Rows. A field of the outer struct stands over the one of the same name in the inner: what is stored once elsewhere is
// stored as its id.
type (
	repoRow struct {
		Repo Repo
		Last int
	}
	pullRow struct {
		*Pull
		Repo *struct{} `json:",omitempty"`
	}
	suiteRow struct {
		*Suite
		App int64
	}
	runRow struct {
		*Run
		App int64
	}
	installationRow struct {
		*Installation
		App int64
	}
	orgRow struct {
		Owners, Members map[string]bool
		Base            Role
	}
	tokenRow struct {
		User         string
		Installation int64
		Permissions  map[string]string
		Repositories []int64
		Expires      time.Time
	}
)

func loadOrg(w *world, key string, x *orgRow) error {
	w.orgs[key] = &org{owners: x.Owners, members: x.Members, base: x.Base}
	return nil
}

func loadInstallation(w *world, _ string, x *installationRow) error {
	app, ok := w.apps[x.App]
	if !ok {
		return errDangling
	}
	x.Installation.App = *app
	w.installs[x.ID] = x.Installation
	return nil
}

func loadToken(w *world, key string, x *tokenRow) error {
	var sum [sha256.Size]byte
	if n, err := hex.Decode(sum[:], []byte(key)); err != nil || n != len(sum) {
		return fmt.Errorf("not a digest: %w", err)
	}
	w.tokens[sum] = credential{
		user: x.User, installation: x.Installation, permissions: x.Permissions, repositories: x.Repositories, expires: x.Expires,
	}
	return nil
}

func loadSuite(w *world, r *repo, x *suiteRow) error {
	app, ok := w.apps[x.App]
	if !ok {
		return errDangling
	}
	x.Suite.App = *app
	r.addSuite(x.Suite)
	return nil
}

func loadRun(w *world, r *repo, x *runRow) error {
	app, ok := w.apps[x.App]
	if !ok {
		return errDangling
	}
	x.Run.App = *app
	r.addRun(x.Run)
	return nil
}

func (s *Store) save(kind, key string, entity any) { s.changes.set(place{kind, key}, entity) }

func (s *Store) saveAccount(u *User)        { s.save("account", fold(u.Login), u) }
func (s *Store) saveTeam(t *Team)           { s.save("team", fold(t.Org+"/"+t.Slug), t) }
func (s *Store) saveApp(a *App)             { s.save("app", key(a.ID), a) }
func (s *Store) saveRepo(r *repo)           { s.save("repo", key(r.ID), repoRow{r.Repo, r.last}) }
func (s *Store) saveLabel(r *repo, l Label) { s.save("label", key(r.ID, l.ID), l) }
func (s *Store) savePull(p *Pull)           { s.save("pull", key(p.repo, int64(p.Number)), pullRow{Pull: p}) }
func (s *Store) saveReview(r *repo, v *Review) {
	s.save("review", key(r.ID, v.ID), v)
}
func (s *Store) saveComment(r *repo, c *Comment) { s.save("comment", key(r.ID, c.ID), c) }
func (s *Store) dropComment(r *repo, c *Comment) { s.save("comment", key(r.ID, c.ID), nil) }
func (s *Store) saveSuite(r *repo, x *Suite)     { s.save("suite", key(r.ID, x.ID), suiteRow{x, x.App.ID}) }
func (s *Store) saveRun(r *repo, x *Run)         { s.save("run", key(r.ID, x.ID), runRow{x, x.App.ID}) }
func (s *Store) saveStatus(r *repo, x Status)    { s.save("status", key(r.ID, x.ID), x) }

func (s *Store) saveOrg(login string) {
	o := s.orgs[fold(login)]
	s.save("org", fold(login), orgRow{o.owners, o.members, o.base})
}

func (s *Store) saveInstallation(in *Installation) {
	s.save("installation", key(in.ID), installationRow{in, in.App.ID})
}

func (s *Store) addToken(sum [sha256.Size]byte, c credential) {
	s.tokens[sum] = c
	s.save("token", hex.EncodeToString(sum[:]), tokenRow{c.user, c.installation, c.permissions, c.repositories, c.expires})
}

func (s *Store) dropToken(sum [sha256.Size]byte) {
	if _, ok := s.tokens[sum]; ok {
		delete(s.tokens, sum)
		s.save("token", hex.EncodeToString(sum[:]), nil)
	}
}

func (s *Store) dropExpired() {
	for sum, c := range s.tokens {
		if c.expired(s.now()) {
			s.dropToken(sum)
		}
	}
}

// counters are the numbers that must never be given out twice.
func (s *Store) counters() map[string]string {
	return map[string]string{"last_id": strconv.FormatInt(s.lastID, 10), "last_event": strconv.FormatInt(s.lastEvent, 10)}
}

// load replaces the world with what is on disk.
func (s *Store) load() error {
	w := newWorld()
	for _, k := range s.kinds() {
		if err := s.db.each(k.name, func(key string, body []byte) error { return k.load(w, key, body) }); err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
	}
	for name, to := range map[string]*int64{"last_id": &w.lastID, "last_event": &w.lastEvent} {
		text, err := s.db.meta(name)
		if err != nil {
			return fmt.Errorf("read the state's %s: %w", name, err)
		}
		if text == "" {
			continue
		}
		if *to, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("read the state's %s: %w", name, err)
		}
	}
	s.world = w
	return nil
}

// everything is the world as one change.
func (s *Store) everything() changes {
	for _, u := range s.accounts {
		s.saveAccount(u)
	}
	for login := range s.orgs {
		s.saveOrg(login)
	}
	for _, t := range s.teams {
		s.saveTeam(t)
	}
	for _, a := range s.apps {
		s.saveApp(a)
	}
	for _, in := range s.installs {
		s.saveInstallation(in)
	}
	for sum, c := range s.tokens {
		s.addToken(sum, c)
	}
	for _, r := range s.repos {
		s.everythingIn(r)
	}
	c := s.changes
	s.changes = changes{}
	return c
}

func (s *Store) everythingIn(r *repo) {
	s.saveRepo(r)
	for _, l := range r.labels {
		s.saveLabel(r, l)
	}
	for n, p := range r.pulls {
		s.savePull(p)
		for _, v := range r.reviews[n] {
			s.saveReview(r, v)
		}
	}
	for _, c := range r.commentByID {
		s.saveComment(r, c)
	}
	for _, x := range r.suiteByID {
		s.saveSuite(r, x)
	}
	for _, run := range r.runByID {
		s.saveRun(r, run)
	}
	for _, list := range r.statuses {
		for _, x := range list {
			s.saveStatus(r, x)
		}
	}
	s.saveDesk(r)
}

// Verify compares the disk with the memory, and names what a mutation has forgotten to write.
func (s *Store) Verify() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.everything()
	for _, k := range s.kinds() {
		err := s.db.each(k.name, func(key string, body []byte) error {
			entity, known := all.entities[place{k.name, key}]
			if !known {
				return errors.New("it is on disk and not in memory")
			}
			delete(all.entities, place{k.name, key})
			want, err := json.Marshal(entity)
			if err != nil || string(want) != string(body) {
				return fmt.Errorf("disk has %s, memory has %s: %w", body, want, errors.Join(err, errDiffers))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("check the state: %w", err)
		}
	}
	for at := range all.entities {
		return fmt.Errorf("check the state: %s %s: it is in memory and not on disk", at.kind, at.key)
	}
	return nil
}

var errDiffers = errors.New("they differ")
