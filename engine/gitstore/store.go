package gitstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// cacheBytes bounds the objects kept in memory between reads.
const cacheBytes = 24 << 20

// Config says which repository a store is for and who writes to it.
type Config struct {
	// URL is the repository's address, as in git clone; https, or http where
	// no credentials are sent or the host is this machine.
	URL string
	// Credentials gives the user and password (or token) of each request; nil
	// for none. They go to the host of URL and nowhere else.
	Credentials func(ctx context.Context) (user, password string, err error)
	// Rejected is told of a password that the server did not take (401), so that the next request may come with another one; nil for
	// nobody.
	Rejected func(password string)
	// Signer signs what Append writes; Author is the name on it. A store that
	// only reads needs neither.
	Signer Signer
	Author Identity
	// Client carries the requests; nil for one with a time limit of five
	// minutes. Its redirects and cookies are not used.
	Client *http.Client
	// MinInterval is the least time between two pushes. GitHub asks for at
	// most six a minute: ten seconds. 0 turns the limit off.
	MinInterval time.Duration
}

// Store is the ledger on the hub. Its methods may be called from any
// goroutine; one branch's appends are expected from one at a time.
type Store struct {
	wire   *wire
	signer Signer
	author Identity
	cache  *cache.ObjectLRU // by object id; has its own lock
	sched  *scheduler

	listings convoy[struct{}, map[plumbing.ReferenceName]Hash] // shared by who asked: never changed
	commits  atomic.Int64

	mu      sync.Mutex
	reads   map[string]*convoy[Hash, fetched] // of branches, by what the commits begin from and the filter
	caps    map[string]*capability.List       // by service, as first advertised
	pending map[string]*pending               // by branch
	tenure  *Tenure                           // nil: nobody asked for the lease
}

// Open prepares a store; it sends nothing. Close it when done.
func Open(c Config) (*Store, error) {
	w, err := newWire(c)
	if err != nil {
		return nil, err
	}
	if c.Signer.key != nil {
		if err := c.Author.check(); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	if c.MinInterval < 0 {
		return nil, errors.New("open store: negative interval between pushes")
	}
	s := &Store{
		wire: w, signer: c.Signer, author: c.Author,
		cache:   cache.NewObjectLRU(cacheBytes),
		reads:   map[string]*convoy[Hash, fetched]{},
		caps:    map[string]*capability.List{},
		pending: map[string]*pending{},
	}
	s.sched = newScheduler(s.depart, c.MinInterval)
	return s, nil
}

// Close stops the scheduler: a push under way is cut off, and every Flush that
// waits returns an error. Pending commits are lost, as in a crash.
func (s *Store) Close() { s.sched.close() }

// Stats counts what the store made, and what it asked of the hub, since it was opened.
type Stats struct {
	Commits        int64 // that were made and signed, here and not on the hub
	Pushes         int64 // receive-pack requests that carried a pack
	Reads          int64 // every other request
	Sent, Received int64 // bytes of the bodies
}

// Stats gives the counts so far.
func (s *Store) Stats() Stats {
	return Stats{
		Commits: s.commits.Load(),
		Pushes:  s.wire.pushes.Load(), Reads: s.wire.reads.Load(),
		Sent: s.wire.sent.Load(), Received: s.wire.received.Load(),
	}
}

// Heads gives the branches whose names begin with prefix, by name without
// refs/heads/. One request.
func (s *Store) Heads(ctx context.Context, prefix string) (map[string]Hash, error) {
	refs, err := s.refs(ctx)
	if err != nil {
		return nil, err
	}
	heads := map[string]Hash{}
	for name, id := range refs {
		if branch, ok := strings.CutPrefix(string(name), "refs/heads/"); ok && strings.HasPrefix(branch, prefix) {
			heads[branch] = id
		}
	}
	return heads, nil
}

// fetches gives the place where reads of branches from one commit on meet. It is forgotten when the default branch has moved often.
func (s *Store) fetches(have Hash, filter packp.Filter) *convoy[Hash, fetched] {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := have.String() + " " + string(filter)
	t := s.reads[key]
	if t == nil {
		if len(s.reads) >= 64 {
			clear(s.reads)
		}
		t = &convoy[Hash, fetched]{}
		s.reads[key] = t
	}
	return t
}

func (s *Store) keepCapabilities(service string, caps *capability.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caps[service] = caps
}

// capabilities gives what the server can do, asking once.
func (s *Store) capabilities(ctx context.Context, service string) (*capability.List, error) {
	s.mu.Lock()
	caps := s.caps[service]
	s.mu.Unlock()
	if caps != nil {
		return caps, nil
	}
	refs, err := s.wire.advertise(ctx, service)
	if err != nil {
		return nil, err
	}
	s.keepCapabilities(service, refs.Capabilities)
	return refs.Capabilities, nil
}

// held finds an object in the cache or among the pending ones.
func (s *Store) held(id Hash) (object, bool) {
	if e, ok := s.cache.Get(plumbing.Hash(id)); ok {
		r, err := e.Reader()
		if err != nil {
			return object{}, false
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			return object{}, false
		}
		return object{id: id, kind: e.Type(), data: data}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		for _, c := range p.commits {
			for _, o := range c.objects {
				if o.id == id {
					return o, true
				}
			}
		}
	}
	return object{}, false
}

func (s *Store) keep(o object) { s.cache.Put(o.encoded()) }
