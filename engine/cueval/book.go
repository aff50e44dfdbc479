package cueval

import (
	"crypto/sha256"
	"encoding/json"
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mostBooks is how many runbooks a process that lasts keeps, the last ones that were asked for. Requests for one mostly come
// one after the other; each may take megabytes.
const mostBooks = 6

// book is a runbook that was read for a known plan, and nothing of which was evaluated.
type book struct {
	key [sha256.Size]byte // of its source and its plan
	doc document
}

// bookKey tells a source with a plan from all others. Without one nothing is kept.
func bookKey(src runbook.Source, known *runbook.Plan) (key [sha256.Size]byte, ok bool) {
	text, err := json.Marshal(struct {
		Source runbook.Source
		Known  *runbook.Plan
	}{src, known})
	return sha256.Sum256(text), err == nil
}

// kept returns a runbook that was read before, or nil.
func (t *texts) kept(src runbook.Source, known *runbook.Plan) *document {
	if len(t.books) == 0 {
		return nil
	}
	key, ok := bookKey(src, known)
	i := slices.IndexFunc(t.books, func(b *book) bool { return b.key == key })
	if !ok || i < 0 {
		return nil
	}
	b := t.books[i]
	t.books = append(slices.Delete(t.books, i, i+1), b)
	d := b.doc
	return &d
}

// keep keeps a runbook as it was read, and returns it for one request. One of which not all steps are evaluated in one context is
// not kept: to give its memory back is why they are not.
func (t *texts) keep(d *document) *document {
	if !t.lasting || len(d.known.Steps) > together {
		return d
	}
	key, ok := bookKey(d.source, d.known)
	if !ok {
		return d // unreachable: texts are always JSON
	}
	b := &book{key: key, doc: *d}
	b.doc.value, b.doc.fixed, b.doc.alone = cue.Value{}, cue.Value{}, cue.Value{}
	if t.books = append(t.books, b); len(t.books) > mostBooks {
		t.books = slices.Delete(t.books, 0, 1)
	}
	return d
}
