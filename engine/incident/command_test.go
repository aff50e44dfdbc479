package incident

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommands(t *testing.T) {
	cases := map[string][]Command{
		"":                                   nil,
		"no command":                         nil,
		"/ack":                               {{Verb: "/ack"}},
		"/ack seen it":                       {{Verb: "/ack", Rest: "seen it"}},
		"/done confirm":                      {{Verb: "/done", Step: "confirm"}},
		"/done  confirm all ok":              {{Verb: "/done", Step: "confirm", Rest: "all ok"}},
		"/choose which scale_up":             {{Verb: "/choose", Step: "which", Rest: "scale_up"}},
		"/cancel false alarm":                {{Verb: "/cancel", Rest: "false alarm"}},
		"/retry a\nand\n/retry b":            {{Verb: "/retry", Step: "a"}, {Verb: "/retry", Step: "b"}},
		"/did-it-by-hand a from the console": {{Verb: "/did-it-by-hand", Step: "a", Rest: "from the console"}},
		"/help":                              {{Verb: "/help"}},
		"/resolve":                           {{Verb: "/resolve"}},
		"/assign a @alice":                   {{Verb: "/assign", Step: "a", Rest: "@alice"}},
		"/done a version=1 note=\"all ok\"":  {{Verb: "/done", Step: "a", Rest: `version=1 note="all ok"`}},
		"/skip a not\nneeded":                {{Verb: "/skip", Step: "a", Rest: "not"}},
		"/pause a moment":                    {{Verb: "/pause", Rest: "a moment"}},
		"/severity sev1\n/note it is worse":  {{Verb: "/severity", Rest: "sev1"}, {Verb: "/note", Rest: "it is worse"}},
		"<!--\n/cancel x\n-->\n/ack":         {{Verb: "/ack"}},
		strings.Repeat("x", 64<<10):          nil,
		"`/ack`":                             nil,
		"> /cancel x":                        nil,
	}
	for body, want := range cases {
		got, problem := ParseCommands(body)
		if d := cmp.Diff(want, got); d != "" || problem != "" {
			t.Errorf("%q: %s%s", body, problem, d)
		}
	}
}

func TestParseCommandsRefuses(t *testing.T) {
	cases := map[string]string{
		"/done":                                "/done needs the name of a step",
		"/cancel":                              "/cancel needs a reason",
		"/choose which":                        "/choose needs an option",
		"/choose":                              "/choose needs the name of a step",
		"/did-it-by-hand a":                    "/did-it-by-hand needs a few words",
		"/ack\n/nonsense":                      "`/help` for what there is",
		"/cancle x":                            `"/cancle" is not a command; did you mean ` + "`/cancel`?",
		"/retyr a":                             "did you mean `/retry`?",
		"/approve a":                           "said in a review",
		"/skip a":                              "/skip needs a reason",
		"/pause":                               "/pause needs a reason",
		"/assign a":                            "/assign needs somebody's login",
		"/severity":                            "/severity needs a severity",
		"/note":                                "/note needs a few words",
		"/reopn":                               "did you mean `/reopen`?",
		strings.Repeat("/ack\n", 11):           "it holds 11 commands",
		"/note " + strings.Repeat("x", 64<<10): "and one with commands may have 16384",
		"/reject a":                            "said in a review",
		"/":                                    "is not a command",
		"/ACK":                                 "a line begins with a slash and is no command",
		"/@everyone":                           "a line begins with a slash and is no command",
		"/[x](http://evil)":                    "a line begins with a slash and is no command",
		"/" + strings.Repeat("a", 100):         "a line begins with a slash and is no command",
	}
	for body, want := range cases {
		got, problem := ParseCommands(body)
		if got != nil || !strings.Contains(problem, want) {
			t.Errorf("%q: %v, %q; want %q", body, got, problem, want)
		}
		if strings.ContainsAny(strings.ReplaceAll(problem, "@login", ""), "@[]\n") {
			t.Errorf("%q: foreign text in the answer %q", body, problem)
		}
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	for _, v := range verbs() {
		if !strings.Contains(HelpText(), "- `"+v.name) {
			t.Errorf("%s is not in the help", v.name)
		}
	}
}

func TestEditDistance(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"/ack", "/ack", 0}, {"/cancle", "/cancel", 2}, {"/rety", "/retry", 1}, {"abc", "xyz", 3}}
	for _, c := range cases {
		if got := editDistance(c.a, c.b); got != c.want || editDistance(c.b, c.a) != got {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestReplyKeys(t *testing.T) {
	marked := MarkReply("comment-1", "text\n")
	if !HasReplyKey(marked, "comment-1") || HasReplyKey(marked, "comment-11") || HasReplyKey(marked, "comment-") {
		t.Errorf("%q has another key", marked)
	}
}

// foreign leaves out of an answer how a command is written.
func foreign(problem string) string {
	text, _, _ := strings.Cut(problem, ": `/")
	return strings.ReplaceAll(text, "@login", "")
}

// FuzzParseCommands: either commands or a problem, and nothing foreign in the answer.
func FuzzParseCommands(f *testing.F) {
	f.Add("/ack\n/cancel it")
	f.Add("/@x")
	f.Fuzz(func(t *testing.T, body string) {
		commands, problem := ParseCommands(body)
		if problem != "" && commands != nil {
			t.Errorf("%q: both %v and %q", body, commands, problem)
		}
		if strings.ContainsAny(foreign(problem), "@[]<>\n\x00\x1b") {
			t.Errorf("%q: foreign text in %q", body, problem)
		}
	})
}

// TestRepliesLeadToWhatTheyAnswer: what answers a comment or a review says which one; what answers neither says nothing of the kind.
func TestRepliesLeadToWhatTheyAnswer(t *testing.T) {
	const pull = "https://hub.test/acme/ops/pull/7"
	for key, want := range map[string]string{
		CommentKey(31):    "No.\n\nIn answer to [this comment](" + pull + "#issuecomment-31).\n\n",
		strangerKey(32):   "No.\n\nIn answer to [this comment](" + pull + "#issuecomment-32).\n\n",
		reviewKey(33):     "No.\n\nIn answer to [this review](" + pull + "#pullrequestreview-33).\n\n",
		"review-34-words": "No.\n\nIn answer to [this review](" + pull + "#pullrequestreview-34).\n\n",
		"thaw-35":         "No.\n\nIn answer to [this review](" + pull + "#pullrequestreview-35).\n\n",
		"unknown-step-1":  "No.\n\n",
		"review-x":        "No.\n\n",
	} {
		got := Reply{Key: key, Text: "No.\n"}.Comment(pull)
		if got != want+replyMark(key)+"\n" || !HasReplyKey(got, key) {
			t.Errorf("%s: %q", key, got)
		}
		if got := (Reply{Key: key, Text: "No."}).Comment(""); got != "No.\n\n"+replyMark(key)+"\n" {
			t.Errorf("%s without an address: %q", key, got)
		}
	}
}
