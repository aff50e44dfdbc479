package pages

import (
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// folds lets <details>, <details open> and <summary> through, which GitHub shows folded, and nothing else: of other raw
// HTML the tags and comments go, and the text stays as text.
//
// A tag is only let through together with its partner, and only when both stand at the same level of the same document:
// so a text cannot close what the page around it has opened, nor leave anything open for what follows.
type folds struct{}

func (folds) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	for _, raw := range find[*ast.RawHTML](doc) { // within a line of text
		raw.Parent().RemoveChild(raw.Parent(), raw)
	}
	levels := map[ast.Node][]*fold{}
	var parents []ast.Node
	for _, block := range find[*ast.HTMLBlock](doc) {
		parent := block.Parent()
		f := &fold{pieces: pieces(content(block, reader.Source()))}
		parent.ReplaceChild(parent, block, f)
		if levels[parent] == nil {
			parents = append(parents, parent)
		}
		levels[parent] = append(levels[parent], f)
	}
	for _, parent := range parents {
		pair(levels[parent])
	}
}

func content(block *ast.HTMLBlock, source []byte) string {
	var b strings.Builder
	for i := range block.Lines().Len() {
		line := block.Lines().At(i)
		b.Write(line.Value(source))
	}
	if block.HasClosure() {
		b.Write(block.ClosureLine.Value(source))
	}
	return b.String()
}

// fold stands in the tree for a block of raw HTML.
type fold struct {
	ast.BaseBlock
	pieces []piece
}

// piece is a tag or the text between two. Only kept tags are written.
type piece struct {
	text string
	tag  string // details, /details, summary, /summary; empty: text
	keep bool
}

var kindFold = ast.NewNodeKind("Fold")

// Kind and Dump make a fold a node of goldmark's tree.
func (*fold) Kind() ast.NodeKind { return kindFold }

// Dump prints the node for debugging.
func (f *fold) Dump(source []byte, level int) { ast.DumpHelper(f, source, level, nil, nil) }

// What is dropped: comments, the content of scripts and styles, and everything else that begins like a tag.
var (
	droppedForm = regexp.MustCompile(`(?is)<!--.*?(?:-->|$)|<script\b.*?(?:</script\s*>|$)|<style\b.*?(?:</style\s*>|$)|<[!?/a-z][^>]*(?:>|$)`)
	tagForm     = regexp.MustCompile(`(?i)^<(/?(?:details|summary))( open(?:="")?)?>$`)
)

func pieces(raw string) []piece {
	var out []piece
	at := 0
	for _, span := range droppedForm.FindAllStringIndex(raw, -1) {
		out = append(out, piece{text: raw[at:span[0]]})
		at = span[1]
		m := tagForm.FindStringSubmatch(raw[span[0]:span[1]])
		if m == nil || (m[2] != "" && !strings.EqualFold(m[1], "details")) {
			continue
		}
		tag := strings.ToLower(m[1])
		written := "<" + tag + ">"
		if m[2] != "" {
			written = "<details open>"
		}
		out = append(out, piece{text: written, tag: tag})
	}
	return append(out, piece{text: raw[at:]})
}

// pair keeps the tags that have their partner among the blocks of one level. A summary ends in the block that it began
// in: markdown between its tags would not be a line of text.
func pair(level []*fold) {
	type begun struct {
		*piece
		block int
	}
	var open []begun
	for i, f := range level {
		for j := range f.pieces {
			p := &f.pieces[j]
			switch p.tag {
			case "details", "summary":
				open = append(open, begun{p, i})
			case "/details", "/summary":
				for len(open) > 0 {
					last := open[len(open)-1]
					if "/"+last.tag == p.tag && (p.tag == "/details" || last.block == i) {
						last.keep, p.keep = true, true
						open = open[:len(open)-1]
						break
					}
					if p.tag == "/summary" {
						break // it belongs to nothing
					}
					open = open[:len(open)-1] // a summary that was not ended
				}
			}
		}
	}
}

type foldRenderer struct{}

// RegisterFuncs tells goldmark how a fold is written.
func (foldRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(kindFold, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		for _, p := range n.(*fold).pieces {
			written := html.EscapeString(html.UnescapeString(p.text))
			if p.tag != "" {
				written = ""
			}
			if p.keep {
				written = p.text
			}
			if _, err := w.WriteString(written); err != nil {
				return ast.WalkStop, err
			}
		}
		return ast.WalkContinue, nil
	})
}
