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
		{"/done", true, "", "a manual step is done"},
		{"/choose", true, "option", "answer a question with one of its options"},
		{"/retry", true, "", "try a step again that failed, or whose outcome nobody knows"},
		{"/did-it-by-hand", true, "words", "say what you did, or that it did happen, and go on"},
		{"/resolve", false, "", "the problem is over"},
		{"/cancel", false, "words", "stop here, with the reason; what has an undo is undone, unless you say it again; then all is reported and merged"},
		{"/help", false, "", "this list"},
	}
}

// ParseCommands reads the commands of a comment. A line that begins with a slash and is no command comes back with the
// sentence to answer.
func ParseCommands(body string) (commands []Command, problem string) {
	for _, line := range approval.Lines(body) {
		words := strings.Fields(line)
		c, why := parseCommand(words)
		if why != "" {
			return nil, why
		}
		commands = append(commands, c)
	}
	return commands, ""
}

func parseCommand(words []string) (Command, string) {
	c := Command{Verb: words[0]}
	known := verbs()
	i := slices.IndexFunc(known, func(v verb) bool { return v.name == c.Verb })
	if i < 0 {
		return c, unknownVerb(c.Verb, known)
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
		return c, c.Verb + " needs " + map[string]string{"words": "a few words", "option": "an option"}[rest] + ": " + known[i].help
	}
	return c, ""
}

func unknownVerb(name string, known []verb) string {
	if slices.Contains([]string{"/approve", "/reject", "/break-glass", "/thaw"}, name) {
		return name + " is said in a review (Files changed, Review changes), not in a comment"
	}
	best, distance := "", 4
	for _, v := range known {
		if d := editDistance(name, v.name); d < distance {
			best, distance = v.name, d
		}
	}
	hint := "; say /help for what there is"
	if best != "" {
		hint = "; there is " + best
	}
	if strings.Trim(name, "/abcdefghijklmnopqrstuvwxyz-") != "" || len(name) > 32 {
		return "a line begins with a slash and is no command" + hint // never echo foreign text that could mention or format
	}
	return fmt.Sprintf("%q is not a command%s", name, hint)
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
