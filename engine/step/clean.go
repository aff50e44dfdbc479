package step

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the control sequences of ECMA-48: a string such as a window's title with its terminator (which may be
// missing), a CSI sequence, and any shorter escape. Each has a form that starts with ESC and one that starts with a C1
// control. A string ends with its line at the latest, so that one without an end hides no more than that.
var escapes = regexp.MustCompile(
	`(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x07\x1b\x{9c}\n]*(?:\x07|\x1b\\|\x{9c})?` +
		`|(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]?` +
		`|\x1b[ -/]*[0-~]?`)

// clean returns text that cannot do anything to a terminal or to the order of what it stands in: without invalid
// UTF-8, escape sequences, C0 and C1 controls other than newline and tab, and characters that nobody sees (bidi
// controls, joiners, tags: Unicode category Cf). Every kind of line end becomes a newline.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = escapes.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\u0085' || unicode.In(r, unicode.Zl, unicode.Zp):
			return '\n'
		case r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, s)
}
