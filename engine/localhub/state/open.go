package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Config says where a store is kept and what it begins with. An empty Path keeps everything in memory only.
type Config struct {
	Path    string
	Seed    Seed
	Now     func() time.Time
	MaxText int // the longest body, in characters; 0 is MaxText, negative is none
}

// SeedChanged says that a directory was filled with another seed than the one given now.
type SeedChanged struct {
	Differences []string // "user dave is new"
}

func (e *SeedChanged) Error() string {
	return "the seed is not the one that this state began with: " + strings.Join(e.Differences, ", ")
}

// New builds a store that forgets everything when it is closed. The error names the seed's entry that is wrong.
func New(seed Seed, now func() time.Time) (*Store, error) {
	return Open(Config{Seed: seed, Now: now})
}

// Open reads the state at the path, or begins a new one from the seed. To a state that is there the seed changes nothing:
// a different one is refused with *SeedChanged, an empty one is no seed at all.
func Open(c Config) (_ *Store, err error) {
	if c.Path != "" { // it holds webhook secrets
		f, err := os.OpenFile(c.Path, os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the state: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("open the state: %w", err)
		}
	}
	db, err := openDatabase(c.Path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close())
		}
	}()
	s := &Store{now: c.Now, maxText: cmp.Or(c.MaxText, MaxText), db: db, world: newWorld()}
	had, err := db.meta("seed")
	if err != nil {
		return nil, fmt.Errorf("read the state's seed: %w", err)
	}
	if had == "" {
		s.fresh = true
		return s, s.begin(c.Seed)
	}
	if err := sameSeed(had, c.Seed); err != nil {
		return nil, err
	}
	return s, s.load()
}

// Fresh says whether the seed was used: there was no state before.
func (s *Store) Fresh() bool { return s.fresh }

// Close ends the store; a mutation under way is finished.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db.close()
}

// begin fills an empty state.
func (s *Store) begin(seed Seed) error {
	s.reserve(seed)
	for _, step := range []func(Seed) error{
		s.seedUsers, s.seedOrgs, s.seedTeams, s.seedApps, s.seedRepos, s.seedInstallations,
	} {
		if err := step(seed); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	notes := s.counters()
	notes["seed"] = digest(seed)
	if err := s.db.save(s.everything(), notes); err != nil {
		return fmt.Errorf("write the seed's state: %w", err)
	}
	return nil
}

// digest is a seed as JSON, section by section and entry by entry, with a digest in place of what is in each entry.
func digest(seed Seed) string {
	sections := map[string]map[string]string{
		"user": {}, "organization": {}, "team": {}, "app": {}, "installation": {}, "repository": {},
	}
	note := func(section, name string, entry any) {
		text, err := json.Marshal(entry)
		if err != nil {
			text = []byte(err.Error()) // unreachable: seeds hold texts and numbers
		}
		sum := sha256.Sum256(text)
		sections[section][name] = hex.EncodeToString(sum[:])
	}
	for _, x := range seed.Users {
		note("user", x.Login, x)
	}
	for _, x := range seed.Organizations {
		note("organization", x.Login, x)
	}
	for _, x := range seed.Teams {
		note("team", x.Org+"/"+x.Slug, x)
	}
	for _, x := range seed.Apps {
		if k, err := publicKey(x.Key); err == nil { // where the key is, and which half, does not matter
			x.Key, x.KeyFile = k.N.String(), ""
		}
		note("app", x.Slug, x)
	}
	for _, x := range seed.Installations {
		note("installation", x.App+" on "+x.Account, x)
	}
	for _, x := range seed.Repositories {
		note("repository", x.Name, x)
	}
	text, err := json.Marshal(sections)
	if err != nil {
		return err.Error() // unreachable: maps of texts
	}
	return string(text)
}

// sameSeed compares the digest that a state began with to a seed.
func sameSeed(had string, seed Seed) error {
	given := digest(seed)
	if given == had || reflect.ValueOf(seed).IsZero() {
		return nil
	}
	var before, now map[string]map[string]string
	if err := errors.Join(json.Unmarshal([]byte(had), &before), json.Unmarshal([]byte(given), &now)); err != nil {
		return fmt.Errorf("read the state's seed: %w", err)
	}
	var differences []string
	for _, section := range []string{"user", "organization", "team", "app", "installation", "repository"} {
		differences = append(differences, compare(section, before[section], now[section])...)
	}
	if differences != nil {
		return &SeedChanged{differences}
	}
	return nil
}

func compare(section string, before, now map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch was, known := before[name]; {
		case !known:
			out = append(out, section+" "+name+" is new")
		case was != now[name]:
			out = append(out, section+" "+name+" is different")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[name]; !still {
			out = append(out, section+" "+name+" is missing")
		}
	}
	return out
}
