package github

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
)

func TestCutMarkdown(t *testing.T) {
	for _, test := range []struct{ name, in string }{
		{"prose", strings.Repeat("words and words\n", 5000)},
		{"one line", strings.Repeat("é", 50_000)},
		{"in a block", "text\n````sh\n" + strings.Repeat("```\n@alice `x`\n", 8000)},
		{"in a block of tildes", "~~~ diff\n" + strings.Repeat("- a\n", 30_000)},
		{"after a block", "```\na\n```\n" + strings.Repeat("words\n", 20_000)},
		{"in a block with an endless fence", strings.Repeat("`", 40_000) + "\n" + strings.Repeat("x\n", 30_000)},
		{"nothing but a fence", strings.Repeat("`", 70_000)},
		{"not UTF-8", strings.Repeat("\xff", 70_000)},
	} {
		got := cutMarkdown(test.in, maxBody)
		if len(got) > maxBody || !strings.HasSuffix(got, cutNote) || utf8.ValidString(test.in) && !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, ends in %q", test.name, len(got), got[len(got)-80:])
		}
		var html strings.Builder
		if err := goldmark.Convert([]byte(got), &html); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(html.String(), "<p><em>The rest does not fit here; the whole is in the ledger.</em></p>\n") {
			t.Errorf("%s: the note is read as something else: %q", test.name, html.String()[html.Len()-120:])
		}
	}
	whole := strings.Repeat("x", maxBody)
	if cutMarkdown(whole, maxBody) != whole {
		t.Error("cut what fits")
	}
}

func TestCut(t *testing.T) {
	for in, want := range map[string]string{"short": "short", "exactly 10": "exactly 10", "éééééé": "ééé…", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff": "\xff\xff\xff…"} {
		if got := cut(in, 10); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
