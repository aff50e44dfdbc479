package incident

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
)

// Command is one line of a person's comment that begins with a slash.
type Command struct {
	Verb string // with the slash
	Step string // for the verbs that take one
	Rest string // what follows
}

// The bounds of one comment with commands.
const (
	mostCommands     = 10
	mostCommandBytes = 16 << 10 // of the whole comment: the journal copies it
)

// verb says what a command takes.
type verb struct {
	name string
	step bool   // the first word is a step
	rest string // what must follow, empty if nothing must
	help string // one line
}

// verbs returns the commands that a comment may give, in the order in which /help lists them.
func verbs() []verb {
	return []verb{
		{"/ack", false, "", "say that you have taken notice"},
		{"/assign", true, "@login", "say who does a manual step; who does it cannot approve it"},
		{"/done", true, "", "a manual step is done; behind the step `key=value`, one for each value that its type asks for"},
		{"/choose", true, "option", "answer a question with one of its options"},
		{"/retry", true, "", "try a step again that failed, or whose outcome nobody knows"},
		{"/skip", true, "reason", "go on without a step; of one with a gate this is said in a review, by those who may approve it"},
		{"/did-it-by-hand", true, "words", "say what you did, or that it did happen, and go on; where a gate was not passed: in a review"},
		{"/pause", false, "reason", "start nothing more; what runs ends, gates stay open, the time of waits goes on"},
		{"/resume", false, "", "go on after a pause"},
		{"/severity", false, "severity", "say how grave it is: " + strings.Join(Severities(), ", ")},
		{"/note", false, "words", "put a line into the timeline"},
		{"/resolve", false, "", "the problem is over"},
		{"/reopen", false, "", "it is not over: take back the end before the merge, /resolve, or a /cancel of which nothing was undone"},
		{"/cancel", false, "reason", "stop here, with the reason; what has an undo is undone, unless you say it again; then all is reported and merged"},
		{"/help", false, "", "this list"},
	}
}

// ParseCommands reads the commands of a comment. A line that begins with a slash and is no command comes back with the
// sentence to answer, and so does a comment that is beyond the bounds.
func ParseCommands(body string) (commands []Command, problem string) {
	lines := approval.Lines(body)
	swallowed := approval.SwallowedVerb(body, verbNames())
	switch {
	case len(lines) == 0 && swallowed == "":
		return nil, ""
	case len(body) > mostCommandBytes:
		return nil, fmt.Sprintf("it has %d bytes, and one with commands may have %d; put the rest into a comment of its own", len(body), mostCommandBytes)
	case swallowed != "":
		return nil, swallowedProblem(body, swallowed)
	case len(lines) > mostCommands:
		return nil, fmt.Sprintf("it holds %d commands, and at most %d are heard at once; write several comments", len(lines), mostCommands)
	}
	for _, line := range lines {
		c, why := parseCommand(strings.Fields(line))
		if why != "" {
			return nil, why
		}
		commands = append(commands, c)
	}
	return commands, ""
}

// swallowedProblem says what is wrong with a command that belongs to something else.
func swallowedProblem(body, verb string) string {
	return "`" + verb + "` " + approval.WhySwallowed(body)
}

func parseCommand(words []string) (Command, string) {
	c := Command{Verb: words[0]}
	known := verbs()
	i := slices.IndexFunc(known, func(v verb) bool { return v.name == c.Verb })
	if i < 0 {
		return c, unknownVerb(c.Verb)
	}
	args := words[1:]
	if known[i].step {
		if len(args) == 0 {
			return c, c.Verb + " needs the name of a step"
		}
		c.Step, args = args[0], args[1:]
	}
	c.Rest = strings.Join(args, " ")
	if rest := known[i].rest; rest != "" && c.Rest == "" {
		return c, fmt.Sprintf("%s needs %s: `%s`", c.Verb, needed(rest), known[i].usage())
	}
	return c, ""
}

func needed(rest string) string {
	switch rest {
	case "words":
		return "a few words"
	case "option":
		return "an option"
	case "@login":
		return "somebody's login"
	}
	return "a " + rest
}

func unknownVerb(name string) string {
	if slices.Contains([]string{"/approve", "/reject", "/break-glass", "/thaw"}, name) {
		return name + " is said in a review (Files changed, Review changes), not in a comment"
	}
	return noVerb(name, verbNames())
}

// noVerb says that a word is none of the commands that are known, and which one is near.
func noVerb(name string, known []string) string {
	hint := "; say `/help` for what there is"
	if near := nearestName(name, known); near != "" {
		hint = "; did you mean `" + near + "`?"
	}
	if strings.Trim(name, "/abcdefghijklmnopqrstuvwxyz-") != "" || len(name) > 32 {
		return "a line begins with a slash and is no command" + hint // never echo foreign text that could mention or format
	}
	return fmt.Sprintf("%q is not a command%s", name, hint)
}

func verbNames() []string {
	known := verbs()
	names := make([]string, len(known))
	for i, v := range known {
		names[i] = v.name
	}
	return names
}

// nearestName is the first of the names that are nearest to what somebody wrote, empty if none is near.
func nearestName(written string, names []string) string {
	if len(written) > 200 {
		return ""
	}
	best, distance := "", min(4, len(written))
	for _, name := range names {
		if d := editDistance(strings.ToLower(written), name); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// HelpText lists the commands as markdown.
func HelpText() string {
	var b strings.Builder
	b.WriteString("Commands, each at the beginning of a line:\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "- `%s`: %s\n", v.usage(), v.help)
	}
	b.WriteString("\nApprovals are reviews: approve, with `/approve <step>` in the body where several gates are open.\n")
	return b.String()
}

func (v verb) usage() string {
	s := v.name
	if v.step {
		s += " <step>"
	}
	if v.rest != "" {
		s += " <" + v.rest + ">"
	}
	return s
}

// editDistance is the number of insertions, deletions and replacements that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
