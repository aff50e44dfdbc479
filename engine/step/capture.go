package step

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

// capture keeps the head and the tail of a stream of any length in constant memory. Beyond the half of the limit that is
// shown of each, it holds a margin, so that a secret that lies across the border is still seen whole.
type capture struct {
	limit, margin int
	size          int64
	sum           hash.Hash
	head          []byte
	tail          []byte // a ring once it is full
	at            int    // where the ring's oldest byte is
}

func newCapture(limit, margin int) *capture {
	return &capture{limit: limit, margin: margin, sum: sha256.New()}
}

func (c *capture) room() int { return c.limit/2 + 1 + c.margin }

// Write never fails.
func (c *capture) Write(p []byte) (int, error) {
	n := len(p)
	c.size += int64(n)
	c.sum.Write(p)
	take := min(len(p), c.room()-len(c.head))
	c.head = append(c.head, p[:take]...)
	c.keepTail(p[take:])
	return n, nil
}

func (c *capture) keepTail(p []byte) {
	if len(p) >= c.room() {
		c.tail, c.at = append(c.tail[:0], p[len(p)-c.room():]...), 0
		return
	}
	take := min(len(p), c.room()-len(c.tail))
	c.tail = append(c.tail, p[:take]...)
	for rest := p[take:]; len(rest) > 0; {
		n := copy(c.tail[c.at:], rest)
		rest = rest[n:]
		c.at = (c.at + n) % len(c.tail)
	}
}

// kept returns what was kept from the start and from the end. If nothing is missing between them they are both the whole.
func (c *capture) kept() (first, last string, whole bool) {
	tail := string(c.tail[c.at:]) + string(c.tail[:c.at])
	if c.size == int64(len(c.head)+len(tail)) {
		all := string(c.head) + tail
		return all, all, true
	}
	return string(c.head), tail, false
}

// all returns the whole stream, or what was kept of its head and false if it was longer than the limit.
func (c *capture) all() ([]byte, bool) {
	first, _, _ := c.kept()
	return []byte(first), c.size <= int64(c.limit)
}

// start returns what was kept of the head, without the far end, where a part of a secret may be.
func (c *capture) start() []byte {
	first, _, whole := c.kept()
	if !whole {
		first = first[:max(0, len(first)-c.margin)]
	}
	return []byte(first)
}

func (c *capture) cut(name string) (runbook.Cut, bool) {
	if c.size <= int64(c.limit) {
		return runbook.Cut{}, false
	}
	return runbook.Cut{Name: name, Bytes: c.size, SHA256: c.digest()}, true
}

// digest is of everything that was written, in hex.
func (c *capture) digest() string { return hex.EncodeToString(c.sum.Sum(nil)) }

// text is what was kept, clean and covered. It is at most the limit long, and one line longer where the middle is left out.
func (c *capture) text(v veil) string {
	first, last, whole := c.kept()
	if c.size <= int64(c.limit) {
		return head(v.cover(clean(first)), c.limit)
	}
	first, last = clean(first), clean(last)
	endFirst, startLast := min(len(first), c.limit/2), max(0, len(last)-c.limit/2)
	if !whole {
		// The far ends of what was kept may hold a part of a secret: they are never shown.
		endFirst = max(0, min(endFirst, len(first)-c.margin))
		startLast = min(len(last), max(startLast, c.margin))
	}
	return head(v.coverRange(first, 0, endFirst), c.limit/2) +
		fmt.Sprintf("\n[cut here: %d bytes in all, sha256 %s]\n", c.size, c.digest()) +
		tail(v.coverRange(last, startLast, len(last)), c.limit/2)
}

// head returns at most the first n bytes of s, ending with a whole character.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// tail returns at most the last n bytes of s, starting with a whole character.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := len(s) - n
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return s[i:]
}
