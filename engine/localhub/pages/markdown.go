package pages

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is GitHub's flavour; of raw HTML only what fold.go lets through is left, and goldmark refuses links such as
// javascript:. In comments a line break is a line break, in files it is not.
func markdown(breaks bool) goldmark.Markdown {
	options := []goldmark.Option{
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.TaskList,
			// By default a column's alignment is a style attribute, which the content security policy refuses.
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(imagesToLinks{}, 500), util.Prioritized(folds{}, 501))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(foldRenderer{}, 500))),
	}
	if breaks {
		options = append(options, goldmark.WithRendererOptions(html.WithHardWraps()))
	}
	return goldmark.New(options...)
}

// imagesToLinks shows a picture's text with a link to it: a page asks no other host for anything.
type imagesToLinks struct{}

func (imagesToLinks) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	for _, img := range find[*ast.Image](doc) {
		link := ast.NewLink()
		link.Destination, link.Title = img.Destination, img.Title
		for c := img.FirstChild(); c != nil; {
			next := c.NextSibling()
			link.AppendChild(link, c)
			c = next
		}
		img.Parent().ReplaceChild(img.Parent(), img, link)
	}
}

// find lists the nodes of one type in the order of the text, so that they can be replaced without disturbing a walk.
func find[T ast.Node](doc ast.Node) []T {
	var found []T
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if x, ok := n.(T); ok && entering {
			found = append(found, x)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return nil // unreachable: the walker above never fails
	}
	return found
}

// render turns markdown into HTML, and notes whether there is a graph to draw.
func (v *visit) render(m goldmark.Markdown, source string) template.HTML {
	var b bytes.Buffer
	if err := m.Convert([]byte(source), &b); err != nil {
		v.Logger.Error("render markdown", "error", err)
		return template.HTML("<pre>" + template.HTMLEscapeString(source) + "</pre>")
	}
	out := b.String()
	if strings.Contains(out, `class="language-mermaid"`) {
		v.graphs = true
	}
	return template.HTML(out)
}
