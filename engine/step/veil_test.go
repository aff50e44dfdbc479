package step

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// awkward holds what escapes differ in: slashes, plus, quotes, a backslash, an ampersand, a space and an umlaut.
const awkward = `pa55/w+rd "q\u" & s ü`

// spellings are ways in which programs print a value. The surrounding text shifts base64 to every offset.
func spellings(t *testing.T, value string) map[string]string {
	t.Helper()
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	var percents, ascii, split strings.Builder
	for i := range len(value) {
		fmt.Fprintf(&percents, "%%%02x", value[i])
	}
	for _, r := range value {
		fmt.Fprintf(&ascii, `\u%04x`, r)
		split.WriteRune(r)
		split.WriteString("\n  ")
	}
	hexed := hex.EncodeToString([]byte(value))
	return map[string]string{
		"literal":         value,
		"base64 offset 0": b64(value + "after"),
		"base64 offset 1": b64("b" + value + "after"),
		"base64 offset 2": b64("be" + value + "after"),
		"base64 url":      base64.URLEncoding.EncodeToString([]byte("user:" + value)),
		"base64 twice":    b64(b64("u:" + value)),
		"base64 wrapped":  wrap(b64("u:" + value + strings.Repeat("x", 80))),
		"base32":          base32.StdEncoding.EncodeToString([]byte("u:" + value)),
		"hex":             hexed,
		"HEX":             strings.ToUpper(hexed),
		"hex dump":        wrap(joinPairs(hexed, " ")),
		"hex colons":      joinPairs(hexed, ":"),
		"hex bytes":       `\x` + joinPairs(hexed, `\x`),
		"url query":       url.QueryEscape(value),
		"url path":        url.PathEscape(value),
		"url all":         percents.String(),
		"json":            string(asJSON),
		"json ascii":      ascii.String(),
		"json in json":    fmt.Sprintf("%q", value),
		"html":            html.EscapeString(value),
		"split lines":     split.String(),
		"with escapes":    strings.Join(strings.Split(value, ""), "\x1b[0m"),
		"with zero width": strings.Join(strings.Split(value, ""), "\u200b"),
	}
}

func wrap(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%20 == 0 {
			b.WriteByte('\n')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func TestVeilCoversEverySpelling(t *testing.T) {
	for _, value := range []string{awkward, "sixsix", "AKIAIOSFODNN7EXAMPLE", "a.b-c_d~e:f@g"} {
		v := newVeil([]secret{{"KEY", value}})
		for name, text := range spellings(t, value) {
			got := v.cover(clean("before " + text + " after"))
			if !strings.HasPrefix(got, "before ") || !strings.Contains(got, "[redacted KEY]") {
				t.Errorf("%s of %q is %q", name, value, got)
			}
			// What is left of an encoding may be the characters that also depend on the neighbours.
			if rest := strings.NewReplacer("[redacted KEY]", "", "before ", "", " after", "").Replace(got); len(rest) > 0 &&
				strings.Contains(squeeze(clean(text)), rest) && len(rest) > len(text)/2 && len(text) < 60 {
				t.Errorf("%s of %q leaves %q", name, value, rest)
			}
		}
	}
}

func TestVeilLeavesOtherTextAlone(t *testing.T) {
	v := newVeil([]secret{{"KEY", "s3cr3t-value"}})
	text := "deployed 1.4.2 in 3s; s3cr3t valve; 100% \\o/ \\u12 %zz ghs_ ünïcödé\n\tend"
	if got := v.cover(clean(text)); got != text {
		t.Errorf("%q became %q", text, got)
	}
}

func TestVeilCoversLinesOfAKey(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----"
	v := newVeil([]secret{{"PEM", key}})
	got := v.cover("line two is AQEFAASCBKcwggSjAgEAAoIB, -----BEGIN KEY----- is not secret")
	if got != "line two is [redacted PEM], -----BEGIN KEY----- is not secret" {
		t.Error(got)
	}
	if got := v.cover("all: " + key); got != "all: [redacted PEM]" {
		t.Error(got)
	}
}

func TestVeilKnowsTokens(t *testing.T) {
	body := strings.Repeat("a1B2", 9)
	jwt := "ghs_12345_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2ln-bmF0_dXJl"
	for _, text := range []string{"ghp_" + body, "gho_" + body, jwt, "github_pat_" + body, "ghs_" + body[:18] + "\n" + body[18:]} {
		got := veil{}.cover("with " + text + " and more")
		if got != "with [redacted token] and more" {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestVeilMergesWhatOverlaps(t *testing.T) {
	v := newVeil([]secret{{"A", "abcdefgh"}, {"B", "efghijkl"}})
	if got := v.cover("<abcdefghijkl> <efghijkl>"); got != "<[redacted A]> <[redacted B]>" {
		t.Error(got)
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"SHORT": "abc\n", "BLANK": "\n\n  \t   \n", "ZERO": "abc\x00defghi", "HUGE": strings.Repeat("x", longestSecret+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "DIR"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("not for steps"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "LINK")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SHORT", "BLANK", "ZERO", "HUGE", "DIR", "LINK", "ABSENT", "../outside", "a b", "PULLBOOK_KEY", ""} {
		if got, err := readSecrets(dir, []string{name}); err == nil {
			t.Errorf("read %q: %d bytes", name, len(got[0].value))
		}
	}
	if _, err := readSecrets("", []string{"NAME"}); err == nil {
		t.Error("read a secret without a directory")
	}
}

func TestClean(t *testing.T) {
	tests := map[string]string{
		"plain\ttext\n":                                  "plain\ttext\n",
		"\x1b[31;1mred\x1b[0m":                           "red",
		"\x1b]0;title\x07after":                          "after",
		"\x1b]8;;http://x\x1b\\link":                     "link",
		"\x1bPdevice\x1b\\x \x1b]open\nend":              "x \nend",
		"\u009b31mc1\u009dtitle\u009cx":                  "c1x",
		"\x1b(Bcharset\x1bcreset\x1b":                    "charsetreset",
		"a\x00b\x08c\x7fd\u0085e":                        "abcd\ne",
		"one\r\ntwo\rthree\u2028four":                    "one\ntwo\nthree\nfour",
		"\u202eevil\u2066x\u2069\u200b\ufeff\U000e0041y": "evilxy",
		"bad\xff\xfeutf\xc3":                             "badutf",
		"\x1b\x1b[31m[31mnested":                         "[31mnested",
	}
	for in, want := range tests {
		if got := clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;x\x07\u009b1m\u202e\xff")
	v := newVeil([]secret{{"KEY", awkward}})
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if strings.ContainsAny(got, "\x1b\x00\r\u009b\u202e") || clean(got) != got {
			t.Errorf("%q became %q", s, got)
		}
		if covered := v.cover(clean(s + awkward + s)); strings.Contains(covered, awkward) {
			t.Errorf("not covered between %q: %q", s, covered)
		}
	})
}

// BenchmarkVeil covers the longest log there is, with one short secret and one that is a key of many lines.
func BenchmarkVeil(b *testing.B) {
	key := strings.Repeat(strings.Repeat("MIIEvQIBADANBgkq", 4)+"\n", 27)
	v := newVeil([]secret{{"TOKEN", "s3cr3t-value"}, {"KEY", key}})
	text := strings.Repeat("2026-11-22T09:30:00Z checkout answered 500 in 12ms\n", 64<<10/51)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if v.cover(text) != text {
			b.Fatal("covered what is no secret")
		}
	}
}
