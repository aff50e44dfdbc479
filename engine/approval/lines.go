package approval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Words are the lines of a text that begin with a slash, with spaces inside folded to one.
type Words struct {
	// Lines are a person's own words: paragraphs and headings of the text itself. What is quoted, indented, code, hidden in HTML or
	// struck out is none.
	Lines []string
	// Swallowed are in plain sight, but belong to what stands before them: a quote, a list, a table or an element of HTML, which goes
	// on until an empty line or its end tag. Whoever wrote them may have meant them.
	Swallowed []string
}

// Lines returns the lines of body that begin with a slash and are a person's own words.
func Lines(body string) []string { return Read(body).Lines }

// Read finds the lines of a text that begin with a slash. It follows CommonMark and GitHub's extensions of it: where it is simpler
// than they are, it hears less, never more.
func Read(body string) Words {
	var out Words
	for _, w := range read(body) {
		if w.heard {
			out.Lines = append(out.Lines, w.text)
		} else {
			out.Swallowed = append(out.Swallowed, w.text)
		}
	}
	return out
}

// Speaks reports whether a text has a line that begins with a slash and is not code, quoted or hidden.
func Speaks(body string) bool { return len(read(body)) > 0 }

// WhySwallowed says, behind a word that is not heard, why it is not.
func WhySwallowed(body string) string {
	if len(body) > maxRead {
		return fmt.Sprintf("stands in a text of %d bytes, and of more than %d none is read", len(body), maxRead)
	}
	return "belongs to a quote, a list, a table or HTML before it, as Markdown has it: put an empty line before it, outside of them"
}

// SwallowedVerb is the first of some verbs that a text has only where it is not heard, empty if there is none.
func SwallowedVerb(body string, verbs []string) string { return swallowedVerb(Read(body), verbs) }

func swallowedVerb(words Words, verbs []string) string {
	for _, line := range words.Swallowed {
		if verb, _, _ := strings.Cut(line, " "); slices.Contains(verbs, verb) {
			return verb
		}
	}
	return ""
}

// word is one line that begins with a slash.
type word struct {
	line  int // of the text, from 0
	text  string
	heard bool // else it is swallowed
}

// maxRead is the longest text, in bytes, that is read.
const maxRead = 16 << 10

func read(body string) []word {
	if strings.Contains(body, "\r") {
		body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	}
	if !strings.HasPrefix(body, "/") && !strings.Contains(body, "\n/") {
		return nil
	}
	if len(body) > maxRead {
		return unread(body)
	}
	if !strings.ContainsAny(body, "\n<`") { // one line, of which nothing can be anything else
		return []word{{0, strings.Join(strings.Fields(body), " "), true}}
	}
	return readLines(body)
}

// readLines reads a text as Markdown has it.
func readLines(body string) []word {
	r := reader{open: map[string]int{}, swallows: -1}
	for line := range strings.Lines(body) {
		r.take(strings.TrimSuffix(line, "\n"))
		r.line++
	}
	r.flush()
	return r.out
}

// unread has every line of a text that is too long as one that is not heard: strangers write texts, too, and each look reads them.
func unread(body string) (out []word) {
	at := 0
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "/") {
			out = append(out, word{at, strings.Join(strings.Fields(line[:min(len(line), maxRead)]), " "), false})
		}
		at++
	}
	return out
}

// reader goes through a text line by line. A piece is what it has of a paragraph: lines in which code, tags and links can go on
// from one to the next.
type reader struct {
	out      []word
	line     int
	piece    []string
	first    int            // line of the piece
	swallows int            // the line of the piece from which on it may belong to a quote, list or table; -1: none
	listed   int            // columns by which a line is indented that belongs to the list, or footnote, above it; 0: there is none
	nested   bool           // that list holds others
	lazy     bool           // the piece has lines that belong to that list only if a paragraph goes on in them
	lost     bool           // it could be one thing or another, and what follows is not heard
	code     fence          // a block of code that is open
	until    *regexp.Regexp // ends a block of HTML that goes on over empty lines
	html     bool           // a block of HTML that ends with an empty line
	open     map[string]int // elements of HTML, by name
}

func (r *reader) take(line string) {
	blank := strings.Trim(line, " \t") == ""
	if r.code.mark != "" && !r.code.holds(line) {
		if r.code.deep && !blank {
			r.swallows = 0 // perhaps it had ended before, and this goes on with what followed it
		}
		r.code = fence{}
	}
	switch {
	case r.until != nil:
		r.raw(line)
		if r.until.MatchString(line) {
			r.until = nil
		}
	case r.code.mark != "":
		if r.code.closedBy(line) {
			r.code = fence{}
		}
	case blank:
		if n := len(r.piece); n > 0 && emptyItem(r.piece[n-1]) {
			r.listed = 0
		}
		r.flush()
		r.html = false
	case r.html:
		r.raw(line)
		r.swallow(line)
	default:
		r.begin(line)
	}
}

// begin takes a line outside of code and HTML.
func (r *reader) begin(line string) {
	text, indent := strings.TrimLeft(line, " \t"), indentOf(line)
	r.lost = r.lost || strings.ContainsAny(line, "<`") && declares.MatchString(line)
	inList := r.listed > 0 && indent >= r.listed
	if len(r.piece) == 0 {
		switch {
		case inList:
			r.swallows = 0
		case indent > 3:
			return // a line of code
		default:
			r.listed = 0
		}
	}
	if len(r.piece) > 0 && goesOn(line) {
		// Where links are defined, or after a table, a quote or what a list may have ended before, there may be no paragraph.
		r.lost = r.lost || definesLink(r.piece[0]) || r.swallows >= 0 && (r.listed == 0 || r.lazy)
		if r.swallows < 0 {
			r.add(line)
			return
		}
	}
	if code := fenceIn(line); code.mark != "" || inList && fenceIn(text).mark != "" {
		lazy := r.lazy
		if r.flush(); inList {
			r.lost = r.lost || lazy
			code = fenceIn(text)
			code.in, code.indent, code.deep = "-", r.listed, r.nested || code.in != ""
		} else {
			r.listed, r.nested = code.indent, code.deep
		}
		r.code = code
		return
	}
	if indent <= 3 && r.block(line, text) {
		if indent < r.listed {
			r.listed = 0
		}
		return
	}
	r.contain(line, text, indent)
	r.add(line)
}

func (r *reader) add(line string) {
	if len(r.piece) == 0 {
		r.first = r.line
	}
	r.piece = append(r.piece, line)
}

// block takes a line that is a block by itself, or begins one of HTML.
func (r *reader) block(line, text string) bool {
	if text[0] == '<' {
		return r.htmlBlock(line, text)
	}
	underline := len(r.piece) > 0 && r.swallows < 0 && setext.MatchString(text)
	if underline && definesLink(r.piece[0]) {
		r.lost = true // the lines above may say where links go, and then it underlines nothing
	}
	if !underline && !heading.MatchString(text) && !rule.MatchString(text) {
		return false
	}
	if !underline {
		r.flush()
	}
	r.add(line)
	r.flush()
	return true
}

// htmlBlock takes a line that begins a block of HTML.
func (r *reader) htmlBlock(line, text string) bool {
	r.lost = r.lost || tabbed.MatchString(text)
	var until *regexp.Regexp
	switch {
	case verbatimBegins.MatchString(text):
		until = verbatimEnds
	case commentBegins.MatchString(text):
		until = commentEnds
	case !elementBegins.MatchString(text):
		return r.tagAlone(line, text)
	}
	r.flush()
	r.raw(line)
	if r.html = until == nil; until != nil && !until.MatchString(text) {
		r.until = until
	}
	return true
}

// tagAlone takes a line that is a tag and nothing else. It begins a block of HTML, unless a paragraph goes on in it.
func (r *reader) tagAlone(line, text string) bool {
	if !wholeTag.MatchString(text) || verbatim.MatchString(text) {
		return false
	}
	r.lost = r.lost || r.swallows >= 0 || strings.HasSuffix(line, "\t") // in a quote there may be no paragraph that goes on
	if len(r.piece) > 0 {
		return false
	}
	r.raw(line)
	r.html = true
	return true
}

// contain notes that what follows may belong to a quote, a list, a footnote or a table.
func (r *reader) contain(line, text string, indent int) {
	kind, _ := markerOf(text)
	at := len(r.piece)
	r.lazy = at > 0 && (r.lazy || r.listed > indent && kind == "")
	switch {
	case delimiters(text, indent):
		at = max(0, at-1) // the line before it is the head of the table
	case indent > 3 && len(r.piece) > 0:
		return // the paragraph goes on
	case kind != "":
		in := containers(line)
		if r.nested = r.nested || in.depth > 1 || r.listed > 0 && indent >= r.listed; kind == "-" && (r.listed == 0 || indent < r.listed) {
			r.listed, r.nested = in.indent, in.depth > 1
		}
	case footnote.MatchString(text):
		r.lost = true // how much of what follows belongs to it, versions see in different ways
	default:
		return
	}
	if r.swallows < 0 {
		r.swallows = at
	}
}

// raw counts the elements that a line of HTML opens and closes.
func (r *reader) raw(line string) {
	r.lost = r.lost || declares.MatchString(line)
	for _, tag := range tags.FindAllStringSubmatch(line, -1) {
		r.count(tag[0], strings.ToLower(tag[1]+tag[2]))
	}
}

// count notes what a tag opens or closes. A comment in a block of HTML that nothing closes there hides what follows it.
func (r *reader) count(tag, name string) {
	switch {
	case name == "" && tag == "<!--":
		r.open[tag] = 1
	case tag == "-->":
		delete(r.open, "<!--")
	case !sealed.MatchString(name) || tag[0] == '\\': // or a comment that is over at once
	case tag[1] != '/':
		r.open[name]++
	case r.open[name] > 1:
		r.open[name]--
	default:
		delete(r.open, name)
	}
}

// swallow notes a line that is not heard, if it begins with a slash.
func (r *reader) swallow(line string) { r.say(r.line, line, false) }

func (r *reader) say(at int, line string, heard bool) {
	if strings.HasPrefix(line, "/") {
		r.out = append(r.out, word{at, strings.Join(strings.Fields(line), " "), heard})
	}
}

// flush ends the piece.
func (r *reader) flush() {
	if r.swallows < 0 {
		r.swallows = len(r.piece)
	}
	// What may belong to something else, or not, is read both ways.
	above := strings.Join(r.piece[:r.swallows], "\n")
	long := scan(strings.Join(r.piece, "\n"))
	short := long
	if r.swallows < len(r.piece) {
		short = scan(above)
	}
	open := long.sooner(short, len(above))
	if above = strings.TrimLeft(above, " "); strings.HasPrefix(above, "[") && strings.Contains(above, "]:") && strings.Contains(above, "<") {
		r.lost = true // where a link goes that is named elsewhere can look like a tag
	}
	at := 0
	for i, line := range r.piece {
		for ; len(open) > 0 && open[0].at < at; open = open[1:] {
			r.count(open[0].text, open[0].name)
		}
		own, in, or := i < r.swallows, long.at(at), short.at(at)
		if !own || in != hidden && or != hidden {
			r.say(r.first+i, line, own && in == plain && or == plain && len(r.open) == 0 && !r.lost)
		}
		at += len(line) + 1
	}
	for _, tag := range open {
		r.count(tag.text, tag.name)
	}
	r.opens(r.piece[r.swallows:])
	r.piece, r.swallows, r.lazy = nil, -1, false
}

// opens counts what lines open that may belong to a quote, a list or a table. What they close counts only on the same line:
// elsewhere that may be something else.
func (r *reader) opens(lines []string) {
	for _, line := range lines {
		inside := reader{open: map[string]int{}}
		inside.raw(line)
		for name, n := range inside.open {
			r.open[name] += n
		}
	}
}

// definesLink reports whether a line may say where a link goes that is named elsewhere.
func definesLink(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " "), "[") }

// indentOf is by how many columns a line is indented.
func indentOf(line string) int {
	return columns(line[:len(line)-len(strings.TrimLeft(line, " \t"))])
}

// columns is where what follows a text begins.
func columns(text string) (n int) {
	for _, c := range text {
		if n++; c == '\t' {
			n += (4 - n%4) % 4
		}
	}
	return n
}

// emptyItem reports whether a line begins an item of a list and nothing else: an empty line ends it.
func emptyItem(line string) bool {
	in := containers(line)
	return in.in == "-" && in.depth == 1 && strings.Trim(in.rest, " \t") == ""
}

// delimiters reports whether a line can part the head of a table from its rows. One of hyphens alone, if it is not indented, is
// something else.
func delimiters(text string, indent int) bool {
	return strings.Trim(text, "|-: \t") == "" && strings.Contains(text, "-") && (indent > 3 || strings.ContainsAny(text, "|:"))
}
