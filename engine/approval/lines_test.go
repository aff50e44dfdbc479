package approval

import (
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// TestLines: "/no" is code, quoted or indented and never comes back; "/yes" is a person's own word and does.
func TestLines(t *testing.T) {
	cases := map[string]string{
		"plain":                            "/yes",
		"folded":                           "/yes  it   is\t so",
		"after text":                       "hello\n/yes",
		"windows":                          "hello\r\n/yes\r\n",
		"indented":                         " /no\n    /no\n\t/no",
		"quoted":                           "> /no\n>/no\n> > /no\n\n/yes",
		"list":                             "- /no\n* /no\n1. /no\n\n/yes",
		"fence":                            "```\n/no\n```\n/yes",
		"fence with a language":            "```sh\n/no\n```\n/yes",
		"tildes":                           "~~~\n/no\n```\n/no\n~~~\n/yes",
		"longer fence":                     "````\n/no\n```\n/no\n````\n/yes",
		"closed by a longer one":           "```\n/no\n`````\n/yes",
		"never closed":                     "```\n/no\n/no",
		"opening mark inside":              "```\n```go\n/no\n```\n/yes",
		"code in a line":                   "```x```\n```\n/no\n```\n/yes",
		"tildes with backticks in info":    "~~~ a`b\n/no\n~~~\n/yes",
		"two marks are no fence":           "``\n/yes",
		"indented mark is no fence":        "    ```\n/yes",
		"indented mark closes nothing":     "```\n    ```\n/no\n```\n/yes",
		"fence in a list":                  "- ```\n  /no\n  ```\n/yes",
		"fence in a list, left":            "- ```\n  /no\n/yes",
		"fence in a list, then another":    "- ```\n```\n/no\n```\n/yes",
		"fence in a list, closed, later":   "1. ```\n   x\n   ```\n```\n/no\n```\n/yes",
		"fence in a quote":                 "> ```\n> /no\n> ```\n/yes",
		"fence in a quote, left":           "> ```\n> /no\n/yes",
		"suggestion":                       "```suggestion\n/no\n```\n/yes",
		"a rule is no list":                "---\n/yes",
		"fence in a quoted list":           "> - ```\n>   /no\n>   ```\n/yes",
		"blank lines in a fence in a list": "- ```\n\n  /no\n  ```\n/yes",
		"comment":                          "<!--\n/no\n-->\n/yes",
		"comment on one line":              "<!-- /no -->\n/yes",
		"comment in a sentence":            "as follows <!--\n/no\n--> and\n/yes",
		"comment behind a command":         "/yes <!--\n/no\n-->",
		"comment never closed":             "<!--\n/no\n\n/no",
		"no comment, for nothing closes":   "an arrow <!-- is\n/yes",
		"comment, then another":            "<!--\n/no\n--> <!--\n/no\n-->",
		"comment in code":                  "the mark `<!--` is\n/yes\n-->",
		"comment in a quote":               "> <!-- fill this in -->\n\n/yes\n-->",
		"backticks that nothing closes":    "` <!--\n/no\n-->",
		"comment in a fence":               "```\n<!--\n```\n/yes\n-->",
		"fence in a comment":               "<!--\n```\n-->\n/yes",
		"preformatted":                     "<pre>\n/no\n</pre>\n/yes",
		"preformatted, in capitals":        "<PRE class=x>\n/no\n</Pre>\n/yes",
		"script never closed":              "<script>\n/no",
		"another tag":                      "<present>\n/no\n\n/yes",
		"code over two lines":              "see `a\n/no\nb`\n/yes",
		"code over lines, longer marks":    "see ``a\n/no\n`b\n/no\n``\n/yes",
		"backtick that nothing closes":     "it`s\n/yes\nso",
		"code in the lines around":         "`a` and `b`\n/yes\n`c`",
		"code ends with the paragraph":     "see `a\n\n/yes\n`",
		"a backtick behind a backslash":    "a \\`\n/yes\nb`",
		"lazy quote":                       "> said\n/no\n\n/yes",
		"lazy nested quotes":               "> > said\n> x\n/no\n\n/yes",
		"lazy list":                        "- looked\n/no\n\n/yes",
		"lazy numbered list":               "1. looked\n/no\n\n/yes",
		"paragraph of a list":              "- a\n\n  b\n/no\n\n/yes",
		"before a list":                    "/yes\n- a",
		"table":                            "| a | b |\n|---|---|\n/no | 1\n/no\n\n/yes",
		"head of a table":                  "/no | x\n---|---\n",
		"details":                          "<details>\n/no\n\n/no\n\n</details>\n\n/yes",
		"details inside":                   "<details><details>\n\n</details>\n\n/no\n\n</details>\n\n/yes",
		"details in words":                 "use `<details>`\n\n/yes",
		"preformatted over empty lines":    "<pre>\n/no\n\n/no\n</pre>\n\n/yes",
		"quote of HTML":                    "<blockquote>\n\n/no\n\n</blockquote>\n\n/yes",
		"code of HTML in a sentence":       "run <code>\n/no\n</code> now\n/yes",
		"struck out":                       "~~not\n/no\nthis~~\n/yes",
		"struck out by tags":               "<del>\n\n/no\n\n</del>\n\n/yes",
		"about":                            "took ~5 minutes\n/yes\nor ~6",
		"attribute":                        "see <a title=\"\n/no\n\">x</a>\n/yes",
		"title of a link":                  "[a](b \"\n/no\n\")",
		"target of a link":                 "[a](\n/no\n)",
		"link on one line":                 "[a](http://b/c_(d)) and [e](f)\n/yes",
		"name of a link, on two lines":     "[\n/no]: b",
		"link that is named elsewhere":     "[a]:\n/no\n\n[a]\n/yes",
		"title of a link elsewhere":        "[a]: b\n\"\n/no\n\"",
		"footnote":                         "[^1]: a\n/no\n\n    b\n/no",
		"processing instruction":           "<?x\n/no\n\n/no\n?>",
		"declaration":                      "<!X\n/no\n>",
		"CDATA":                            "/yes\n\n<![CDATA[\n/no\n]]>",
		"a placeholder":                    "restart <service> now\n/yes\n\n/yes",
		"under a heading":                  "# So\n/yes\n===\n/yes\n---\n/yes",
		"mark of a heading splits code":    "a `\n# b\n` c\n/no\n`",
		"alone returns":                    "a\r~~~\r/no\r~~~\r/yes",
		"suggestion of tildes":             "~~~suggestion\n/no\n```\n/no\n~~~~\n/yes",
		"no list goes on in a paragraph":   "as follows\n2. ```\n   x\n   ```\n/no\n```\n/yes",
		"nor an empty one":                 "as follows\n+\n  ```\n/no\n```\n/yes",
		"a list that begins later":         "as follows\n\n2. ```\n   x\n   ```\n/yes",
		"the next item of a list":          "1. a\n2. ```\n   x\n   ```\n\n/yes",
		"a number of ten digits":           "1234567890. ```\n            ```\n/yes",
		"fence in a list, further in":      "1)  ```\n   <pre>\n/no\n</pre>\n/yes",
		"list behind a table":              "a\n-|\n0. ~~~\n/no",
		"nor one that follows none":        "-\na\n0. ~~~\n/no",
		"fence of a quote in a list, left": "-\n\t> ~~~\n  a\n/no",
		"quote in a list, left":            "- >\n\n  a\n/no",
		"backticks where no link is":       "](``)\n/no\n``",
		"element with a tab":               "<details\t</details>\n```\n\n/no",
		"fence in a list behind a tab":     "-\t```\n  <pre>\n/no\n</pre>\n/yes",
		"fence of a list, left and again":  "- a\n\n  ```\n/yes\n```\n/no\n```\n/yes",
	}
	for name, body := range cases {
		got := Lines(body)
		for _, line := range got {
			if strings.HasPrefix(line, "/no") {
				t.Errorf("%s: %q was read from %q", name, line, body)
			}
		}
		if want := strings.Count(body, "/yes"); len(got) < want {
			t.Errorf("%s: nothing was read from %q", name, body)
		}
	}
	if long := Read("/no\n" + strings.Repeat("a ", maxRead/2)); len(long.Lines) > 0 || len(long.Swallowed) != 1 {
		t.Errorf("of a text that is too long %q was read", long)
	}
	if got := Lines("/yes  it   is\t so"); len(got) != 1 || got[0] != "/yes it is so" {
		t.Errorf("spaces are not folded: %q", got)
	}
}

// commonMark are the numbers of the lines that begin with a slash and are words of the text itself, as a library has it that
// implements CommonMark and GitHub's extensions.
func commonMark(body string) (own []int) {
	source := []byte(body)
	root := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(text.NewReader(source))
	var open []string // elements
	html := func(raw string) {
		for _, m := range tags.FindAllStringSubmatch(raw, -1) {
			name := strings.ToLower(m[1] + m[2])
			i := slices.Index(open, name)
			switch {
			case m[0] == "<!--":
				open = append(open, "--")
			case m[0] == "-->":
				open = slices.DeleteFunc(open, func(x string) bool { return x == "--" })
			case m[1] != "" && sealed.MatchString(name):
				open = append(open, name)
			case m[2] != "" && i >= 0:
				open = slices.Delete(open, i, i+1)
			}
		}
	}
	struck := 0
	ast.Walk(root, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		if _, is := n.(*east.Strikethrough); is && in {
			struck++
		} else if is {
			struck--
		}
		if !in {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Blockquote, *ast.List, *ast.CodeSpan, *ast.FencedCodeBlock, *ast.CodeBlock, *east.Table, *east.FootnoteList:
			return ast.WalkSkipChildren, nil
		case *ast.HTMLBlock:
			html(string(n.Lines().Value(source)))
			if n.HasClosure() {
				html(string(n.ClosureLine.Value(source)))
			}
		case *ast.RawHTML:
			if raw := string(n.Segments.Value(source)); !strings.HasPrefix(raw, "<!") { // a comment has its end, and attributes hold no tags
				html(tags.FindString(raw))
			}
		case *ast.Text:
			at := n.Segment.Start
			if len(open) == 0 && struck == 0 && at < len(source) && source[at] == '/' && (at == 0 || source[at-1] == '\n') {
				own = append(own, strings.Count(body[:at], "\n"))
			}
		}
		return ast.WalkContinue, nil
	})
	return own
}

// notOwn are the lines that are heard although the library has them as something else.
func notOwn(body string) (wrong []string) {
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	own := commonMark(body)
	for _, w := range read(body) {
		if w.heard && !slices.Contains(own, w.line) {
			wrong = append(wrong, w.text)
		}
	}
	return wrong
}

// markdown is what TestCommonMark puts together.
func markdown() []string {
	return []string{"\n", "\n\n", "/a", "/b c\n", "x ", "`", "``", "```", "~~~", "~", "~~", "> ", ">", "- ", "1. ", "    ", "  ", "\t", "# h\n", "---\n", "===\n", "|", "|-|-|\n",
		"<!--", "-->", "<pre>", "</pre>", "<details>\n", "</details>", "<div>\n", "<b>", "</b>", "<del>", "</del>", "<a title=\"", "\">", "[a]: ", "[a](", "](", ")", "\"", "[^1]: ", "[^1]", "\\",
		"<?", "?>", "<!X", ">\n", "*", "_", "<code>", "</code>", "</style>", "+ \n", "-\n", ":-\n", "http://a.b/", "<http://a>", "0. ", "1)  ", "10) ", "*\t", "+\n", "[\n", "]:", "   ", "&#96;", "\r", "<svg>\n", "</svg>", "[", "\u00a0\n", "\f\n", "\v"}
}

// TestCommonMark puts together pieces of what Markdown is made of: what is heard is a person's own word for the library as well.
func TestCommonMark(t *testing.T) {
	pieces := markdown()
	seed := uint64(1)
	next := func(n int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(n))
	}
	heard := 0
	for range 4_000 {
		var b strings.Builder
		for range 2 + next(14) {
			b.WriteString(pieces[next(len(pieces))])
			if next(3) == 0 {
				b.WriteString("\n/c\n")
			}
		}
		if wrong := notOwn(b.String()); len(wrong) > 0 {
			t.Fatalf("%q is heard in %q", wrong, smallest(b.String()))
		}
		heard += len(Lines(b.String()))
	}
	if heard < 1_000 {
		t.Errorf("only %d lines were heard", heard)
	}
}

// smallest leaves out of a text what is not needed to be heard wrongly.
func smallest(body string) string {
	for size := len(body) / 2; size > 0; {
		shrunk := false
		for at := 0; at+size <= len(body); at++ {
			if less := body[:at] + body[at+size:]; len(notOwn(less)) > 0 {
				body, shrunk = less, true
			}
		}
		if !shrunk || size > len(body) {
			size /= 2
		}
	}
	return body
}

// FuzzLines: whatever the text is, a line that comes back stood in it at the beginning of a line, as a word of its own.
func FuzzLines(f *testing.F) {
	f.Add("```\n/a\n```\n/b")
	f.Add("- > ```\n/c\r\n~~~~ `\n/d")
	f.Fuzz(func(t *testing.T, body string) {
		own := map[string]bool{}
		for line := range strings.Lines(strings.ReplaceAll(body, "\r", "\n")) {
			if strings.HasPrefix(line, "/") {
				own[strings.Join(strings.Fields(line), " ")] = true
			}
		}
		for _, line := range Lines(body) {
			if !own[line] {
				t.Errorf("%q does not begin a line of %q", line, body)
			}
		}
		if wrong := notOwn(body); len(wrong) > 0 {
			t.Errorf("%q is heard in %q, and is none of its own words", wrong, body)
		}
	})
}

// TestOneLine holds that a text of one line is heard as any other one would be.
func TestOneLine(t *testing.T) {
	pieces := []string{"approve", " ", "  ", "\t", "s1", "~~", "*", "**", "_", "[x]", "[x](y)", "](", "\\", "&lt;", "|", "---", "#", ">", "- ", "1. ", "    ", "$", "/", "www.x", "://"}
	for i := range len(pieces) * len(pieces) * len(pieces) {
		body := "/" + pieces[i%len(pieces)] + pieces[i/len(pieces)%len(pieces)] + pieces[i/len(pieces)/len(pieces)]
		if got, want := read(body), readLines(body); !slices.Equal(got, want) {
			t.Fatalf("%q is heard as %v, and as %v as Markdown has it", body, got, want)
		}
	}
}
