package approval

import (
	"regexp"
	"slices"
	"strings"
)

// Blocks of CommonMark that one line shows.
var (
	heading  = regexp.MustCompile(`^#{1,6}([ \t]|$)`)
	setext   = regexp.MustCompile(`^(=+|-+)[ \t]*$`)
	rule     = regexp.MustCompile(`^(([*][ \t]*){3,}|(-[ \t]*){3,}|(_[ \t]*){3,})$`)
	footnote = regexp.MustCompile(`^\[\^[^\]]+\]:`)
)

// What begins and ends the blocks of HTML that can interrupt a paragraph: the kinds 1, 2 and 6 of CommonMark's section "HTML blocks". The
// last ends with an empty line.
var (
	verbatimBegins = regexp.MustCompile(`(?i)^<(pre|script|style|textarea)([ \t>]|$)`)
	verbatimEnds   = regexp.MustCompile(`(?i)</(pre|script|style|textarea)>`)
	commentBegins  = regexp.MustCompile(`^<!--`)
	commentEnds    = regexp.MustCompile(`-->`)
	elementBegins  = regexp.MustCompile(`(?i)^</?(address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|` +
		`dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|` +
		`optgroup|option|p|param|search|section|source|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)([ \t]|/?>|$)`)
)

const attributes = `(\s+[A-Za-z_:][A-Za-z0-9_.:-]*(\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>` + "`" + `]+))?)*\s*`

var (
	// tabbed is a name of an element with a tab behind it, which not every implementation takes for the beginning of a block.
	tabbed   = regexp.MustCompile(`^</?[A-Za-z][A-Za-z0-9-]*\t`)
	openTag  = regexp.MustCompile(`^<([A-Za-z][A-Za-z0-9-]*)` + attributes + `(/?)>`)
	closeTag = regexp.MustCompile(`^</([A-Za-z][A-Za-z0-9-]*)\s*>`)
	wholeTag = regexp.MustCompile(`^(<[A-Za-z][A-Za-z0-9-]*` + attributes + `/?>|</[A-Za-z][A-Za-z0-9-]*\s*>)[ \t]*$`)
	verbatim = regexp.MustCompile(`(?i)^</?(pre|script|style|textarea)\b`)
	// tags finds what a browser would take for a tag in a line of HTML, and the marks of comments. Behind a backslash an end tag may be none.
	tags = regexp.MustCompile(`<!---?>|<!--|-->|<([A-Za-z][A-Za-z0-9-]*)|\\?</([A-Za-z][A-Za-z0-9-]*)\s*>`)
	// declares finds what nobody writes, and what versions of CommonMark see in different ways: declarations of HTML, and addresses that
	// hold a backtick.
	declares  = regexp.MustCompile(`<(\?|![^-]|!$)|(://|www\.)[^\s<]*\x60`)
	noComment = regexp.MustCompile(`^<!---?>`)
	// target is the part of a link behind its text, all on one line.
	target = regexp.MustCompile(`^\][(][^()\n"'<\\\x60]*([(][^()\n"'<\\\x60]*[)])?[^()\n"'<\\\x60]*[)]`)
)

// sealed are the elements of HTML whose content is not somebody's own word in plain sight: quotes, code, lists, tables, what is struck out,
// folded away or not shown. The hub leaves out tags that it does not know.
var sealed = regexp.MustCompile(`^(blockquote|q|cite|pre|code|tt|samp|kbd|var|listing|xmp|plaintext|details|summary|del|s|strike|table|caption|ul|ol|dl|` +
	`menu|dir|figure|figcaption|script|style|textarea|title|iframe|noembed|noframes|noscript|template|svg|math|select|object|audio|video|canvas|dialog|ruby|head)$`)

// stands is what a place in a paragraph is in.
type stands int

const (
	plain    stands = iota
	hidden          // code, or a tag
	doubtful        // perhaps struck out, or the target of a link
)

// span is a part of a paragraph.
type span struct{ from, to int }

func (s span) holds(at int) bool { return s.from < at && at < s.to }

// mark is a tag of HTML inside a paragraph.
type mark struct {
	at         int
	text, name string
}

// inline is what stands in a paragraph, as far as it can go on over the end of a line.
type inline struct {
	hidden []span // in order, none in another
	struck span   // from the first tilde that can begin it to the last that can end it
	doubt  int    // from here on a line may be a part of a link
	tags   []mark // in order
}

// at is what a place is in.
func (x inline) at(place int) stands {
	i, found := slices.BinarySearchFunc(x.hidden, place, func(s span, at int) int { return s.to - at })
	switch {
	case !found && i < len(x.hidden) && x.hidden[i].holds(place):
		return hidden
	case x.doubt < place || x.struck.holds(place):
		return doubtful
	}
	return plain
}

// scan finds code, tags and what else can go on over the end of a line, from left to right: what begins first counts.
func scan(text string) inline {
	x := inline{doubt: len(text), struck: span{-1, -1}}
	absent := map[string]bool{} // what has no end further on
	if strings.HasPrefix(strings.TrimLeft(text, " "), "[") && strings.Contains(text, "]:") {
		x.doubt = 0 // where a link goes that is named elsewhere, or its name, which may have several lines
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\':
			i += 2
		case c == '`':
			i = x.code(text, i, absent)
		case c == '<':
			i = x.tag(text, i, absent)
		case c == '~':
			i = x.strike(text, i)
		case strings.HasPrefix(text[i:], "]("):
			i = x.link(text, i)
		default:
			i++
		}
	}
	return x
}

// sooner are the tags of a paragraph that may end sooner, where y is what stands in it. What either of them opens is open, and what
// both close is closed.
func (x inline) sooner(y inline, end int) (out []mark) {
	in := func(tags []mark) map[int]bool {
		at := map[int]bool{}
		for _, t := range tags {
			at[t.at] = true
		}
		return at
	}
	ofX, ofY := in(x.tags), in(y.tags)
	for _, t := range append(slices.Clip(x.tags), y.tags...) {
		if both := ofX[t.at] && ofY[t.at]; t.at < end && (both || !strings.HasPrefix(t.text, "</")) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b mark) int { return a.at - b.at })
	return slices.Compact(out)
}

// code takes a run of backticks, and what it holds if another one of that length follows.
func (x *inline) code(text string, at int, absent map[string]bool) (next int) {
	run := text[at : at+runOf(text[at:], '`')]
	for i := at + len(run); !absent[run]; {
		next := strings.IndexByte(text[i:], '`')
		if next < 0 {
			break
		}
		i += next
		n := runOf(text[i:], '`')
		if i += n; n == len(run) {
			x.hidden = append(x.hidden, span{at, i})
			return i
		}
	}
	absent[run] = true
	return at + len(run)
}

// tag takes a tag or a comment of HTML.
func (x *inline) tag(text string, at int, absent map[string]bool) (next int) {
	rest := text[at:]
	if over := noComment.FindString(rest); over != "" {
		return at + len(over)
	}
	if comment, is := strings.CutPrefix(rest, "<!--"); is {
		end := -1
		if !absent["-->"] {
			end = strings.Index(comment, "-->")
		}
		if absent["-->"] = end < 0; end < 0 {
			return at + 1
		}
		next = at + len("<!--") + end + len("-->")
		x.hidden = append(x.hidden, span{at, next})
		return next
	}
	m := openTag.FindStringSubmatch(rest)
	if m == nil {
		m = closeTag.FindStringSubmatch(rest)
	}
	if m == nil {
		return at + 1
	}
	x.hidden = append(x.hidden, span{at, at + len(m[0])})
	x.tags = append(x.tags, mark{at, m[0], strings.ToLower(m[1])})
	return at + len(m[0])
}

// strike takes a run of one or two tildes: what stands between one that can begin and another that can end it may be struck out.
func (x *inline) strike(text string, at int) (next int) {
	n := runOf(text[at:], '~')
	next = at + n
	space := func(i int) bool { return i < 0 || i >= len(text) || strings.ContainsRune(" \t\n", rune(text[i])) }
	if n > 2 {
		return next
	}
	if x.struck.from >= 0 && !space(at-1) {
		x.struck.to = next
	} else if x.struck.from < 0 && !space(next) {
		x.struck.from = at
	}
	return next
}

// link takes the target of a link. One that does not end on its line may be anything.
func (x *inline) link(text string, at int) (next int) {
	if m := target.FindString(text[at:]); m != "" {
		return at + len(m)
	}
	x.doubt = min(x.doubt, at)
	return at + 2
}

// runOf is how often a text begins with a character.
func runOf(text string, c byte) int {
	n := 0
	for n < len(text) && text[n] == c {
		n++
	}
	return n
}
