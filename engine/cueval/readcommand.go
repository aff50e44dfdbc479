package cueval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// What the words of an entry of readCommands can say besides themselves.
const (
	anyMore = "..." // as the last one: further arguments, whatever they are
	anyRest = "*"   // at the end of one: what the argument ends in; alone: an argument that is no option
)

// commandWord is what is known of one word of a command.
type commandWord struct {
	text  string
	whole bool // text is all of it; otherwise it is how the word begins
}

// asWords are words that are known.
func asWords(words []string) (all []commandWord) {
	for _, w := range words {
		all = append(all, commandWord{w, true})
	}
	return all
}

// mayRead reports whether a command may call itself read. More says that arguments may follow of which nothing is known.
func (o organisation) mayRead(command []commandWord, more bool) bool {
	return !o.restricted || slices.ContainsFunc(o.readCommands, func(entry []string) bool { return reads(entry, command, more) })
}

// reads reports whether an entry of readCommands stands for a command: for all of its words.
func reads(entry []string, command []commandWord, more bool) bool {
	for i, want := range entry {
		switch {
		case want == anyMore:
			return true
		case i >= len(command) || !command[i].fits(want):
			return false
		}
	}
	return len(entry) == len(command) && !more
}

// fits reports whether a word is what an entry says. Of one that is not known yet what matters is how it begins: what it is
// is looked at again when it is known.
func (a commandWord) fits(want string) bool {
	begin, open := strings.CutSuffix(want, anyRest)
	switch {
	case !open:
		return a.whole && a.text == want
	case begin == "":
		return !strings.HasPrefix(a.text, "-")
	}
	return strings.HasPrefix(a.text, begin)
}

// notRead says what is wrong with a command that calls itself read, with a hint.
func (o organisation) notRead(says string, command []commandWord, more bool) (text, hint string) {
	var words []string
	for _, a := range command {
		if !a.whole {
			a.text += "…"
		}
		words = append(words, a.text)
	}
	if more {
		words = append(words, "…")
	}
	text, hint = fmt.Sprintf(says, strings.Join(words, " ")), readCommandsHint
	for _, entry := range o.readCommands {
		if len(entry) <= len(command) && reads(entry, command[:len(entry)], false) && entry[len(entry)-1] != anyMore {
			hint += fmt.Sprintf(", which has %s without what follows", strings.Join(entry, " "))
			break
		}
	}
	return text, hint
}

// onList holds a command of a step against the organisation's list, as far as it is known before anything runs. Otherwise it says
// what is wrong with it.
func (d *document) onList(s runbook.Step, in, says string) (text, hint string, ok bool) {
	command, more := d.arguments(s.Name, in)
	if d.org.mayRead(command, more) {
		return "", "", true
	}
	text, hint = d.org.notRead(says, command, more)
	return text, hint, false
}

// arguments is what is known of a command before anything runs, and whether it can have more words than that.
func (d *document) arguments(step, in string) (all []commandWord, more bool) {
	words := wordsIn(commandOf(d.step(d.inputless(), step), in))
	if words == nil {
		return asWords(d.knownWords(step, in)), true
	}
	for _, w := range words {
		if text, err := w.value.String(); err == nil {
			all = append(all, commandWord{text, true})
		} else {
			all = append(all, commandWord{startOf(w.value), false})
		}
	}
	return all, d.grows(d.refs.vals[joined(append(slices.Clone(d.homeOf[step].path), "exec", in))])
}

// startOf is how a text begins that is not known yet: as far as the interpolation that makes it has it.
func startOf(v cue.Value) string {
	op, parts := cue.Dereference(v).Expr()
	switch {
	case op == cue.InterpolationOp && len(parts) > 0:
		text, _ := parts[0].String()
		return text
	case op == cue.AndOp: // such as with the schema's own: any text
		for _, one := range parts {
			if text := startOf(one); text != "" {
				return text
			}
		}
	}
	return ""
}

// grows reports whether a list that is written has elements only where the alert or an output has: without these CUE takes it
// for a shorter one.
func (d *document) grows(values []ast.Expr) bool {
	for _, v := range values {
		list, ok := v.(*ast.ListLit)
		if !ok {
			continue
		}
		for _, e := range list.Elts {
			if x, ok := e.(*ast.Comprehension); ok && d.refs.looks(x.Clauses) {
				return true
			}
		}
	}
	return false
}

// checkReadCommands refuses entries that would not mean what they look like.
func (o *organisation) checkReadCommands(report func(text, hint string, path ...string)) {
	for i, entry := range o.readCommands {
		for j, word := range entry {
			at := []string{"readCommands", strconv.Itoa(i)}
			switch {
			case j == 0 && (word == anyMore || strings.HasSuffix(word, anyRest)):
				report("the program of a command is written out", "", at...)
			case word == anyMore && j < len(entry)-1:
				report(`"..." is the last word of a command`, `it stands for all further arguments; "*" stands for one that is no option`, at...)
			case strings.Contains(strings.TrimSuffix(word, anyRest), anyRest):
				report(fmt.Sprintf("%q: a * stands at the end of a word", word), `such as "--since=*", or "*" for any argument that is no option`, at...)
			}
		}
	}
}

// ungated reports the secrets of steps that nobody has to approve, where the organisation does not list them: whoever may
// write a runbook would otherwise choose where they go. A rehearsal waits for nobody, so its secrets count too.
func (d *document) ungated(plan runbook.Plan) (ps []runbook.Problem) {
	if d.org.file == nil {
		return nil
	}
	for _, s := range plan.Steps {
		if s.Approval != nil {
			continue
		}
		for _, t := range d.kind(s.Kind).traits {
			at := append([]string{string(s.Kind)}, t.path...)
			f := deeper(d.step(d.static(), s.Name), at)
			if !t.secret || !f.Exists() {
				continue
			}
			for i, name := range textsOf(f) {
				if slices.Contains(d.org.ungatedSecrets, name) {
					continue
				}
				p := d.placeIn(s.Name, entry(f, i, at)...)
				p.Text, p.Hint = fmt.Sprintf("a step without an approval may not use the secret %s", name), "give it an approval, or list the secret in ungatedSecrets of "+organisationFile
				if s.Rehearses != "" {
					p.Text = fmt.Sprintf("the step is rehearsed before anybody approves it, and its rehearsal may not use the secret %s", name)
					p.Hint = "list the secret in ungatedSecrets of " + organisationFile
				}
				ps = append(ps, p)
			}
		}
	}
	return ps
}
