package cueval

import (
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"

	"github.com/pullbook/pullbook/engine/runbook"
)

// origins is where the words of one command come from. CUE keeps for each text the place at which it stands, through
// references, comprehensions and packages: one that stands in the runbook or in a package of it is its author's, and one that
// stands in an alert, an output or an input is not, be it the same. What CUE works out, such as a sum or a call, has no
// place of its own, and is the author's only where it was the same before any of these was there.
type origins struct {
	files map[string]bool // of the author
	words []word          // as they are now
	alone func() []word   // without outputs, alert and given inputs, as far as they are known: another evaluation
}

// ownItem is what the text of an element is called in which all texts are the author's.
const ownItem = "item of the author"

// itemName is what the text of an element of a template is called.
func (d *document) itemName(element cue.Value) string {
	o, own := d.authors(), true
	element.Walk(nil, func(v cue.Value) {
		if v.IncompleteKind() == cue.StringKind {
			v, _ = v.Default()
			_, written := o.own(v.Source()).(*ast.BasicLit)
			own = own && written
		}
	})
	if own {
		return ownItem
	}
	return "item.json"
}

// authors knows the files of the author.
func (d *document) authors() *origins {
	o := &origins{files: map[string]bool{ownItem: true}}
	for _, name := range d.lib.sources(d.text) {
		o.files[name] = true
	}
	return o
}

// origins looks at the command of a step that is about to run.
func (d *document) origins(s runbook.Step, v cue.Value) *origins {
	o := d.authors()
	o.words = wordsIn(commandOf(v, commandField(s)))
	o.alone = func() []word { return wordsIn(commandOf(d.step(d.authored(), s.Name), commandField(s))) }
	return o
}

// word is one element of a command.
type word struct{ raw, value cue.Value } // with and without the alternatives to its default

// wordsIn are the elements of a list; none if it is not known how many there are.
func wordsIn(v cue.Value) (all []word) {
	it, err := v.List()
	if err != nil {
		return nil
	}
	for it.Next() {
		value, _ := it.Value().Default()
		all = append(all, word{it.Value(), value})
	}
	return all
}

// source is what the word at a place was read from, if that is the author's.
func (o *origins) source(i int) ast.Node {
	if i >= len(o.words) {
		return nil
	}
	return o.own(o.words[i].value.Source())
}

func (o *origins) own(n ast.Node) ast.Node {
	if n == nil || !o.files[n.Pos().Filename()] {
		return nil
	}
	return n
}

// wrote reports whether the author wrote a word as it is.
func (o *origins) wrote(i int, text string) bool {
	if b, ok := o.source(i).(*ast.BasicLit); ok {
		written, err := literal.Unquote(b.Value)
		return err == nil && written == text
	}
	if i >= len(o.words) {
		return false
	}
	alone := o.alone()
	if i >= len(alone) {
		return false
	}
	before, err := alone[i].value.String()
	now, then := o.expression(o.words[i]), o.expression(alone[i])
	return err == nil && before == text && now != nil && then != nil && now.Pos().Filename() == then.Pos().Filename() &&
		now.Pos().Offset() == then.Pos().Offset()
}

// expression is what the author wrote as the element. That it is the same tells that no other word has moved to its place.
func (o *origins) expression(w word) ast.Node {
	_, all := w.raw.Expr()
	for _, one := range append(all, w.raw) {
		if n := o.own(one.Source()); n != nil {
			return n
		}
	}
	return nil
}

// start is the written text before the first value of an interpolation of the author, and nothing for all else.
func (o *origins) start(i int) string {
	x, ok := o.source(i).(*ast.Interpolation)
	if !ok {
		return ""
	}
	return interpolationStart(x)
}

// interpolationStart returns the written text before the first value of an interpolation.
func interpolationStart(x *ast.Interpolation) string {
	if len(x.Elts) == 0 {
		return ""
	}
	first, ok := x.Elts[0].(*ast.BasicLit)
	if !ok {
		return ""
	}
	quotes := strings.TrimLeft(first.Value, "#")
	hashes := len(first.Value) - len(quotes)
	return strings.TrimSuffix(strings.TrimLeft(quotes, "\""), "\\"+strings.Repeat("#", hashes)+"(")
}
