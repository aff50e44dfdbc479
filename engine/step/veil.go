package step

import (
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// veil finds secrets in text and covers them. The zero veil knows only what GitHub's tokens look like.
type veil struct {
	needles []needle
	margin  int // longest stretch of text that one secret can take up, in any spelling
}

// needle is one spelling of one secret, without its white space.
type needle struct {
	name, text string
	spelling   spelling
}

type spelling int8

const (
	literal spelling = iota // also looked for after percent and backslash escapes are undone
	encoded
	caseless // encoded, upper and lower case mean the same; text is lower case
)

const (
	// plainMargin is for tokens that are known by their prefix only, and for white space within a secret.
	plainMargin = 1 << 10
	// A character takes up at most eight bytes in the spellings known here: \u00e9 is six, and line breaks may follow.
	widest = 8
	// Lines of a secret of many lines, such as a key, count as secrets of their own from this length on.
	secretLine = 16
)

// GitHub's tokens by prefix. Those that start with ghs_ may hold a JSON Web Token and have no fixed length.
// The second pattern is for tokens that were broken into lines: there, only a known length says where a token ends.
var (
	token      = regexp.MustCompile(`(?:gh[oprsu]_|github_pat_)[A-Za-z0-9_.\-]{8,}`)
	splitToken = regexp.MustCompile(`gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82}`)
)

func newVeil(secrets []secret) veil {
	v := veil{margin: plainMargin}
	seen := map[string]bool{}
	add := func(name, text string, as spelling) {
		if len(text) >= shortestSecret && !seen[text] {
			seen[text] = true
			v.needles = append(v.needles, needle{name: name, text: text, spelling: as})
		}
	}
	for _, s := range secrets {
		v.margin = max(v.margin, plainMargin+widest*len(s.value))
		spell(s.value, func(text string, as spelling) { add(s.name, text, as) })
		for line := range strings.Lines(s.value) {
			if line = strings.TrimSpace(line); len(line) >= secretLine && !strings.HasPrefix(line, "-----") {
				spell(line, func(text string, as spelling) { add(s.name, text, as) })
			}
		}
	}
	return v
}

// spell yields the spellings of one value.
func spell(value string, yield func(string, spelling)) {
	yield(squeeze(clean(value)), literal)
	yield(squeeze(url.QueryEscape(value)), encoded)
	yield(squeeze(html.EscapeString(value)), encoded)
	digits := hex.EncodeToString([]byte(value))
	yield(digits, caseless)
	yield(joinPairs(digits, ":"), caseless)
	yield(joinPairs(digits, ",0x"), caseless)
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for _, once := range cores(value, 6, enc.EncodeToString) {
			yield(once, encoded)
			for _, twice := range cores(once, 6, enc.EncodeToString) {
				yield(twice, encoded)
			}
		}
	}
	for _, core := range cores(value, 5, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString) {
		yield(strings.ToLower(core), caseless)
	}
}

// cores are the characters of an encoding of text that holds value which depend on nothing but value: one string for
// each place at which value can start within a group. A character stands for the given number of bits.
func cores(value string, bits int, encode func([]byte) string) []string {
	group := map[int]int{6: 3, 5: 5}[bits]
	out := make([]string, 0, group)
	for before := range group {
		text := encode(append(make([]byte, before), value...))
		from := (before*8 + bits - 1) / bits
		to := (before + len(value)) * 8 / bits
		if from < to {
			out = append(out, text[from:to])
		}
	}
	return out
}

func joinPairs(digits, by string) string {
	var b strings.Builder
	for i := 0; i < len(digits); i += 2 {
		if i > 0 {
			b.WriteString(by)
		}
		b.WriteString(digits[i : i+2])
	}
	return b.String()
}

// span is a stretch of a text that holds a secret, in bytes.
type span struct {
	from, to int
	name     string
}

// find returns the secrets of a clean text, in order and without overlap.
func (v veil) find(text string) []span {
	var spans []span
	for _, at := range token.FindAllStringIndex(text, -1) {
		spans = append(spans, span{at[0], at[1], "token"})
	}
	plain := plainView(text)
	for _, at := range splitToken.FindAllStringIndex(plain.text, -1) {
		spans = append(spans, plain.span(at[0], at[1], "token"))
	}
	if len(v.needles) > 0 {
		spans = append(spans, v.findNeedles(text, plain)...)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	var merged []span
	for _, s := range spans {
		if last := len(merged) - 1; last >= 0 && s.from <= merged[last].to {
			merged[last].to = max(merged[last].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func (v veil) findNeedles(text string, plain view) []span {
	lower := view{text: asciiLower(plain.text), from: plain.from, to: plain.to}
	byLiteral := []view{plain, percentView(text), backslashView(text)}
	var spans []span
	for _, n := range v.needles {
		views := byLiteral[:1]
		switch n.spelling {
		case literal:
			views = byLiteral
		case caseless:
			views = []view{lower}
		}
		for _, w := range views {
			spans = w.appendAll(spans, n)
		}
	}
	return spans
}

// cover replaces every secret of a clean text by its name.
func (v veil) cover(text string) string { return v.coverRange(text, 0, len(text)) }

// coverRange returns the covered text between two places. A secret that lies across one of them is covered whole.
func (v veil) coverRange(text string, from, to int) string {
	var b strings.Builder
	at := from
	for _, s := range v.find(text) {
		if s.to <= from || s.from >= to {
			continue
		}
		if s.from > at {
			b.WriteString(text[at:s.from])
		}
		b.WriteString("[redacted " + s.name + "]")
		at = s.to
	}
	if at < to {
		b.WriteString(text[at:to])
	}
	return strings.ToValidUTF8(b.String(), "") // a border may lie within a character
}

// names tells whether a text holds a secret, and which.
func (v veil) names(text string) (string, bool) {
	if spans := v.find(clean(text)); len(spans) > 0 {
		return spans[0].name, true
	}
	return "", false
}

// squeeze drops white space, so that a secret is found however it was broken into lines.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// asciiLower keeps the length, unlike strings.ToLower.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
