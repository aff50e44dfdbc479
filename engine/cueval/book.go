package cueval

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mostBooks is how many runbooks a process that lasts keeps, the last ones that were asked for. Requests for one mostly come
// one after the other; each may take megabytes.
const mostBooks = 6

// book is a runbook that was read for a known plan, and nothing of which was evaluated but types that rest on nothing.
type book struct {
	key []byte // of its source and its plan
	doc document
}

// bookKey tells a source with a plan from all others; nil where there is no plan.
func bookKey(src runbook.Source, known *runbook.Plan) []byte {
	if known == nil {
		return nil
	}
	plan, err := json.Marshal(known)
	if err != nil {
		return nil // unreachable: plans are always JSON
	}
	source := src.Digest()
	sum := sha256.Sum256(append(plan, source[:]...))
	return sum[:]
}

// recall completes a request that names a runbook without its text, with what an earlier one said of it. It reports whether that
// is still there.
func (t *texts) recall(q *childRequest) (complete bool) {
	if q.Known != nil || len(q.Book) == 0 {
		return true
	}
	b := t.find(q.Book)
	if b == nil {
		return false
	}
	q.Query.Source, q.Known = b.doc.source, b.doc.known
	return true
}

// keyOf is the key of a source with a plan, which the request that is answered mostly brings.
func (t *texts) keyOf(src runbook.Source, known *runbook.Plan) []byte {
	if len(t.asked) > 0 {
		return t.asked
	}
	return bookKey(src, known)
}

// find returns a runbook that was read before, or nil.
func (t *texts) find(key []byte) *book {
	i := slices.IndexFunc(t.books, func(b *book) bool { return bytes.Equal(b.key, key) })
	if i < 0 {
		return nil
	}
	b := t.books[i]
	t.books = append(slices.Delete(t.books, i, i+1), b)
	return b
}

// kept returns a runbook that was read before, for one request, or nil.
func (t *texts) kept(src runbook.Source, known *runbook.Plan) *document {
	if len(t.books) == 0 {
		return nil
	}
	b := t.find(t.keyOf(src, known))
	if b == nil {
		return nil
	}
	d := b.doc
	return &d
}

// keep keeps a runbook as it was read, and returns it for one request. One of which not all steps are evaluated in one context is
// not kept: to give its memory back is why they are not.
func (t *texts) keep(d *document) *document {
	if !t.lasting || len(d.known.Steps) > together {
		return d
	}
	d.settled = map[string]cue.Value{}
	b := &book{key: t.keyOf(d.source, d.known), doc: *d}
	b.doc.value, b.doc.fixed, b.doc.alone = cue.Value{}, cue.Value{}, cue.Value{}
	if t.books = append(t.books, b); len(t.books) > mostBooks {
		t.books = slices.Delete(t.books, 0, 1)
	}
	return d
}
