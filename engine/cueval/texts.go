package cueval

import (
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// maxTexts is how much text is kept as trees, in bytes of the text. Trees of it take some forty times as much.
const maxTexts = 256 << 10

// texts is what one process keeps of what it has read, from one request to the next, by the bytes that it was read from: trees
// and what follows from them alone, and in a process that lasts also runbooks of known plans, each with pullbook.cue and the
// schema, and types that rest on nothing else, in a context. No value of CUE that holds an alert or an output is among it, so nothing of an evaluation gets into
// another. What is kept is never changed. The zero value has read nothing yet; it is for one goroutine.
type texts struct {
	schemas map[string]*schemaText
	size    int  // of the texts of schemas
	parsed  int  // how often a schema was parsed
	lasting bool // further requests will come
	books   []*book
	asked   []byte // the key of the runbook that the request is about; empty: it brings none
}

// schemaText is a schema as it was read.
type schemaText struct {
	file  *ast.File
	err   error
	kinds map[runbook.Kind]kind // those that were read once
}

// schema returns the schema with a text; none means the engine's own.
func (t *texts) schema(text []byte) *schemaText {
	if len(text) == 0 {
		text = schema.Runbook()
	}
	if s, ok := t.schemas[string(text)]; ok {
		return s
	}
	t.parsed++
	s := &schemaText{}
	s.file, s.err = parser.ParseFile(schemaName, text)
	if t.size+len(text) > maxTexts || t.schemas == nil {
		t.schemas, t.size = map[string]*schemaText{}, 0
	}
	if len(text) <= maxTexts {
		t.schemas[string(text)], t.size = s, t.size+len(text)
	}
	return s
}

// types is the schema in a context of its own.
func (s *schemaText) types(ctx *cue.Context) (cue.Value, []runbook.Problem) {
	if s.err != nil {
		return unreadable(s.err)
	}
	return s.built(ctx, s.file.Decls)
}

// built evaluates declarations of the schema.
func (s *schemaText) built(ctx *cue.Context, decls []ast.Decl) (cue.Value, []runbook.Problem) {
	types := ctx.BuildFile(&ast.File{Filename: schemaName, Decls: decls}) // CUE notes what it does not know in the file
	if err := types.Err(); err != nil {
		return unreadable(err)
	}
	return types, nil
}

func unreadable(err error) (cue.Value, []runbook.Problem) {
	return cue.Value{}, []runbook.Problem{{File: schemaName, Text: "this version of the engine cannot read the frozen schema: " + err.Error(),
		Hint: "the version that incident.json names can"}}
}

// kindsOf returns the kinds of steps that an evaluation of the schema has, in its order.
func (s *schemaText) kindsOf(types cue.Value) []kind {
	if s.kinds == nil {
		s.kinds = map[runbook.Kind]kind{}
	}
	return readKinds(types, s.kinds)
}
