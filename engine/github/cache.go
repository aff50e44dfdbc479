package github

import (
	"container/list"
	"net/http"
	"sync"
)

const (
	cachedAnswers = 1024
	cachedBytes   = 32 << 20 // of bodies
	cachedBody    = 2 << 20  // a larger one is asked for whole each time
)

// answer is an answer 200 that the hub gave with an ETag. It is never changed once it is in the cache.
type answer struct {
	key, tag string
	header   http.Header
	body     []byte
}

// cache keeps the answers that were used last. What it holds is shown to nobody before the hub has confirmed it.
type cache struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	used  *list.List // of *answer, the one used last in front
	bytes int
}

func newCache() *cache { return &cache{byKey: map[string]*list.Element{}, used: list.New()} }

func (c *cache) get(key string) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*answer)
}

func (c *cache) put(a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[a.key]; e != nil {
		c.remove(e)
	}
	if len(a.body) > cachedBody {
		return
	}
	c.byKey[a.key] = c.used.PushFront(a)
	c.bytes += len(a.body)
	for c.bytes > cachedBytes || c.used.Len() > cachedAnswers {
		c.remove(c.used.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	a := c.used.Remove(e).(*answer)
	delete(c.byKey, a.key)
	c.bytes -= len(a.body)
}
