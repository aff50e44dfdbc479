package proposal

import (
	"strings"
	"testing"
)

// TestHistory: what incidents recorded is changed by no proposal, and each incident is named once.
func TestHistory(t *testing.T) {
	one, two := "incidents/2026/11/22/20261122-aaaaaaaaaa", "incidents/2026/11/23/20261123-bbbbbbbbbb"
	for _, c := range []struct {
		changes []Change
		want    string // places, and how many more files there are
	}{
		{[]Change{{Path: "README.md"}, {Path: "incidents.md"}, {Path: "docs/incidents/x"}, {Path: "runbooks/incidents.cue"}}, ""},
		{[]Change{{Path: "README.md"}, {Path: one + "/report.md"}}, one + "/report.md"},
		{[]Change{{Path: one + "/report.md", Gone: true}}, one + "/report.md"},
		{[]Change{{Path: one + "/report.md", Mode: true}}, one + "/report.md"},
		{[]Change{{Path: two + "/incident.json"}, {Path: one + "/report.md"}, {Path: one + "/journal/0/000001-opened.json"}, {Path: one + "/report.md", Gone: true}},
			one + "/journal/0/000001-opened.json+1 " + two + "/incident.json"},
		{[]Change{{Path: "incidents/2026/README.md"}, {Path: "incidents/2026/11/22/x.md"}}, "incidents/2026/11/22/x.md incidents/2026/README.md"},
		{[]Change{{Path: "incidents"}}, "incidents"}, // a file, a link or a submodule in the place of all of it
	} {
		var got []string
		for _, p := range History(c.changes, "origin/main") {
			place := p.File
			if _, more, there := strings.Cut(p.Text, "; "); there {
				n, below, _ := strings.Cut(more, " more changed below ")
				place += "+" + n
				if !strings.HasPrefix(p.File, below+"/") {
					t.Errorf("%s is not below %s", p.File, below)
				}
			}
			if !strings.Contains(p.Hint, "git restore --source=origin/main... --staged --worktree incidents ") {
				t.Errorf("hint %q", p.Hint)
			}
			got = append(got, place)
		}
		if all := strings.Join(got, " "); all != c.want {
			t.Errorf("got %s, want %s", all, c.want)
		}
	}
}
