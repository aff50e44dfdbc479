package intake

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes s valid UTF-8 without characters that steer a terminal or reorder text: each becomes U+FFFD, so that a reader sees
// that something was there. Newline and tab stay, CRLF becomes newline. Cleaning twice changes nothing.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && steers(r) {
			return utf8.RuneError
		}
		return r
	}, s) // Map turns a byte that is not UTF-8 into RuneError before it asks
}

// steers reports control characters (C0, DEL, C1), bidirectional embeddings, overrides and isolates (the attack of
// https://trojansource.codes), and Unicode's own line and paragraph separators. Left-to-right and right-to-left marks
// stay: ordinary Hebrew and Arabic text uses them, and they reach no further than the next letter.
func steers(r rune) bool {
	return unicode.IsControl(r) ||
		r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 ||
		r == 0x2028 || r == 0x2029
}

// value is clean text of at most MaxValue bytes. What is cut can still be compared: the mark holds the digest of the
// whole as it was received.
func value(s string) string {
	c := clean(s)
	if len(c) <= MaxValue {
		return c
	}
	mark := fmt.Sprintf("… [cut, sha256 %x]", sha256.Sum256([]byte(s)))
	return head(c, MaxValue-len(mark)) + mark
}

// line is clean text on one line, without blanks around it, of at most most bytes.
func line(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, clean(s)))
	if len(s) <= most {
		return s
	}
	const mark = "…"
	return strings.TrimSpace(head(s, most-len(mark))) + mark
}

// head is the longest beginning of s that has at most n bytes and ends between two characters.
func head(s string, n int) string {
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// bound brings labels within the package's bounds and says how many it left out: those whose names are empty, too long or hold
// what clean would change, and those past MaxLabels in the order of the names. The alertname is never among the latter.
func bound(m map[string]string) (kept map[string]string, left int) {
	rank := func(name string) string {
		if name == alertname {
			return "" // before every other
		}
		return name
	}
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	kept = map[string]string{}
	for _, name := range names {
		if name == "" || len(name) > MaxLabelName || line(name, MaxLabelName) != name || len(kept) == MaxLabels {
			left++
			continue
		}
		kept[name] = value(m[name])
	}
	return kept, left
}

// link checks an address that people will be offered. It allows what a URL may be written with, so that the
// address can neither end early nor hide its host where it is printed.
func link(s string) error {
	if len(s) > MaxURL {
		return fmt.Errorf("longer than %d bytes", MaxURL)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"`\\", c) >= 0 {
			return fmt.Errorf("holds %q unescaped", c)
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("neither http nor https")
	case u.Host == "":
		return fmt.Errorf("without a host")
	case u.User != nil:
		return fmt.Errorf("with a user or password in it")
	}
	return nil
}
