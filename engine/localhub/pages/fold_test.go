package pages

import (
	"bytes"
	"strings"
	"testing"
)

func rendered(t *testing.T, source string) string {
	t.Helper()
	var b bytes.Buffer
	if err := markdown(true).Convert([]byte(source), &b); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestMarkdownFolds(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"folded":           {"<details>\n<summary>More</summary>\n\n*in*\n\n</details>\n\nafter", "<details> <summary>More</summary> <p><em>in</em></p> </details> <p>after</p>"},
		"open":             {"<details open>\n<summary>A &lt;b&gt;</summary>\ntext\n</details>", "<details open> <summary>A &lt;b&gt;</summary> text </details>"},
		"nested":           {"<details>\n\n<details>\n\n</details>\n\n</details>", "<details> <details> </details> </details>"},
		"in a list":        {"- <details>\n  <summary>x</summary>\n  </details>", "<ul> <li> <details> <summary>x</summary> </details></li> </ul>"},
		"not closed":       {"<details>\n\nx", "<p>x</p>"},
		"not opened":       {"</details></summary>\n\nx", "<p>x</p>"},
		"across levels":    {"- <details>\n\n</details>", "<ul> <li> </li> </ul>"},
		"summary unended":  {"<details><summary>x\n\n</summary></details>", "<details>x </details>"},
		"attributes":       {"<details onclick=x>\n<summary class=\"y\">z</summary>\n</details>", "z"},
		"other tags":       {"<div onclick=\"x\">text <b>bold</b> &amp; &#60;</div>", "text bold &amp; &lt;"},
		"scripts":          {"<script>alert(1)</script>\n\n<style>x{}</style>", ""},
		"unfinished":       {"<div>a <img src=x onerror=alert(1)", "a"},
		"comments":         {"<!-- <details> -->\n\nx <!-- y --> z", "<p>x z</p>"},
		"within a line":    {"a <details> <b>b</b> <br> c", "<p>a b c</p>"},
		"table and tasks":  {"| a | b |\n|---|--:|\n| 1 | 2 |", `<table> <thead> <tr> <th>a</th> <th align="right">b</th> </tr> </thead> <tbody> <tr> <td>1</td> <td align="right">2</td> </tr> </tbody> </table>`},
		"tasks":            {"- [x] a\n- [ ] b", `<ul> <li><input checked="" disabled="" type="checkbox"> a</li> <li><input disabled="" type="checkbox"> b</li> </ul>`},
		"greater in quote": {`<details title="a>b">x</details>`, `b&#34;&gt;x`},
	} {
		if got := rendered(t, c.source); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func FuzzMarkdownLeavesThePageWhole(f *testing.F) {
	for _, s := range []string{"<details>\n\n</details>", "</div></details><details>", "- <details>\n<summary>\n\n</summary>", "<details><summary><details></summary>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		out := rendered(t, source)
		for _, tag := range []string{"details", "summary"} {
			opened := strings.Count(out, "<"+tag+">") + strings.Count(out, "<"+tag+" open>")
			if closed := strings.Count(out, "</"+tag+">"); opened != closed {
				t.Errorf("%d %s are opened and %d closed: %s", opened, tag, closed, out)
			}
		}
		for _, bad := range []string{"<script", "<img", "<style", "<div", "style="} {
			if strings.Contains(out, bad) && !strings.Contains(out, "<code") {
				t.Errorf("the text became %s: %s", bad, out)
			}
		}
	})
}
