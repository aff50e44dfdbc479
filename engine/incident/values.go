package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// mostValues bounds the values of one /done.
const mostValues = 50

// Unchecked lists the commands among the comments that nobody has answered whose values have to be held against a type before
// Decide can obey them: /done of a manual step that is asked for and puts something out. Each is listed once.
func (s State) Unchecked(plan runbook.Plan, comments []Comment) []Command {
	var out []Command
	plan = s.Expand(plan)
	for _, cmd := range s.unanswered(comments, plan.Command) {
		st := s.Step(cmd.Step)
		step, ok := plan.Step(cmd.Step)
		if ok && cmd.Verb == "/done" && step.HasOutput && st.Phase == PhaseStarted && st.Kind == runbook.KindManual && !slices.Contains(out, cmd) {
			out = append(out, cmd)
		}
	}
	return out
}

// Result is what the values of a /done come to, as check has them: it returns the declared part of the object, or a
// *runbook.OutputError. Any other error is returned: nobody knows then what they are worth.
func (c Command) Result(check func(object json.RawMessage) (json.RawMessage, error)) (Result, error) {
	object, problem := Values(c.Rest)
	if problem != "" {
		return Result{Problem: problem}, nil
	}
	checked, err := check(object)
	if wrong, is := errors.AsType[*runbook.OutputError](err); is {
		return Result{Problem: unlikeType(c.Step, *wrong)}, nil
	}
	if err != nil {
		return Result{}, fmt.Errorf("check the values that somebody gives for %s: %w", c.Step, err)
	}
	return Result{Output: checked}, nil
}

// unlikeType says what is wrong with values, and what was expected, in blocks that nobody's words can leave.
func unlikeType(step string, wrong runbook.OutputError) string {
	text := "the values are not what `" + step + "` asks for:\n\n" + runbook.Fence("text", wrong.Problem)
	if wrong.Wanted != "" {
		text += "\nIt asks for:\n\n" + runbook.Fence("cue", wrong.Wanted)
	}
	return text
}

// AskedToReopen reports whether somebody asks to reopen the incident, so that it matters whether another one followed it.
func (s State) AskedToReopen(comments []Comment) bool {
	return slices.ContainsFunc(s.unanswered(comments, nil), func(c Command) bool { return c.Verb == "/reopen" })
}

// unanswered are the commands of the comments that were neither heard nor answered, by people who may write and are among those who
// may command: what others say is refused, and nothing is looked up for it. Of them many comments stay without an answer.
func (s State) unanswered(comments []Comment, may []string) (out []Command) {
	d := decider{plan: runbook.Plan{Command: may}, state: s, view: View{Comments: comments}}
	for _, c := range comments {
		if c.Own || c.Edited || !d.mayCommand(c.By) || s.done(c) || len(approval.Lines(c.Body)) == 0 || d.answered(CommentKey(c.ID)) {
			continue
		}
		commands, _ := ParseCommands(c.Body)
		out = append(out, commands...)
	}
	return out
}

// Assignees lists the logins that the unanswered comments among some assign steps to, in lower case, each once.
func Assignees(bodies []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, body := range bodies {
		commands, _ := ParseCommands(body)
		for _, cmd := range commands {
			login, at := strings.CutPrefix(strings.ToLower(cmd.Rest), "@")
			if cmd.Verb == "/assign" && at && PlainLogin(login) && !seen[login] {
				seen[login] = true
				out = append(out, login)
			}
		}
	}
	return out
}

// Values reads what stands behind a /done: key=value, parted by spaces. A value is a word, a text in double quotes, or a JSON
// list or object. It comes back as a JSON object in which words are texts: what else they could be, the type says. A problem
// is a part of a sentence.
func Values(words string) (object json.RawMessage, problem string) {
	var b bytes.Buffer
	seen := map[string]bool{}
	b.WriteByte('{')
	for rest := strings.TrimSpace(words); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, found := strings.Cut(rest, "=")
		if !found || !plainKey(key) {
			return nil, "values are written as `key=value`, one behind the other, and a key is letters, digits and underscores"
		}
		value, left, ok := oneValue(after)
		switch {
		case !ok:
			return nil, "the value of `" + key + "` ends in the middle: a text in double quotes, a list or an object is not closed, or something follows it without a space"
		case seen[key]:
			return nil, "`" + key + "` is given twice"
		case len(seen) == mostValues:
			return nil, fmt.Sprintf("more than %d values are given", mostValues)
		}
		if seen[key] = true; len(seen) > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", key, value)
		rest = left
	}
	b.WriteByte('}')
	return b.Bytes(), ""
}

func plainKey(key string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return key != "" && len(key) <= 60 && strings.Trim(key, letters+"0123456789") == "" && strings.ContainsAny(key[:1], letters)
}

// oneValue reads the value at the beginning of a text.
func oneValue(text string) (value []byte, rest string, ok bool) {
	if text == "" || !strings.ContainsAny(text[:1], `"[{`) {
		word, rest, _ := strings.Cut(text, " ")
		value, err := json.Marshal(word)
		return value, rest, err == nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, "", false
	}
	rest = text[dec.InputOffset():]
	return raw, rest, rest == "" || rest[0] == ' '
}
