package cueval

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"

	"github.com/pullbook/pullbook/engine/runbook"
)

// The fields of an exec that hold commands: what it does, and what its rehearsal does in place of that.
const (
	inCommand  = "command"
	inRehearse = "rehearse"
)

// commandField names the field of an exec that a step runs.
func commandField(s runbook.Step) string {
	if s.Rehearses != "" {
		return inRehearse
	}
	return inCommand
}

// programs checks the programs of an exec, as far as they are known before anything runs. It is the one kind of which more
// has to be known than the schema says: its arguments could be read as code. Its rehearsal runs before anybody has
// agreed, so it is held to what a step that says read is held to.
func (s *skeleton) programs() {
	if _, known := s.program(inCommand); known && s.step.Risk == runbook.RiskRead {
		if text, hint, listed := s.doc.onList(s.step, inCommand, notListedText); !listed {
			s.problem(text, hint, "risk")
		}
		s.readEnv(readEnvText)
	}
	if !field(s.doc.step(s.doc.static(), s.step.Name), "exec").LookupPath(cue.ParsePath(inRehearse)).Exists() {
		return
	}
	if s.step.Risk == runbook.RiskRead {
		s.problem("a step that only reads is not rehearsed", "leave rehearse out", "exec", inRehearse)
		return
	}
	if _, known := s.program(inRehearse); known {
		if text, hint, listed := s.doc.onList(s.step, inRehearse, rehearseText); !listed {
			s.problem(text, hint, "exec", inRehearse)
		}
		s.readEnv(rehearseEnvText)
	}
}

const (
	notListedText    = "%s is not among the commands that may say risk: \"read\""
	rehearseText     = "%s is not among the commands that only read, and a rehearsal runs before anybody has agreed"
	readCommandsHint = "see readCommands in " + organisationFile
)

// program checks the program in a field of an exec, and returns what is known of the command.
func (s *skeleton) program(in string) (command []string, known bool) {
	command = s.doc.knownWords(s.step.Name, in)
	if len(command) == 0 || command[0] == "" {
		s.problem("the program must be known before anything runs", "only its arguments can depend on outputs, the alert and inputs",
			"exec", in)
		return nil, false
	}
	file, own := strings.CutPrefix(command[0], "./")
	switch {
	case own && !local(file):
		s.problem(fmt.Sprintf("%q is no clean path inside the ledger", command[0]), "", "exec", in)
	case own:
		s.file(runbook.File{Path: file, Exec: true})
		s.use(runbook.File{Path: file, Exec: true}, false, "exec", in, "0")
	case strings.Contains(command[0], "/") && !path.IsAbs(command[0]):
		s.problem(fmt.Sprintf("%q is neither a program's name nor a path", command[0]),
			"a file of the ledger begins with ./", "exec", in)
	}
	return command, true
}

// strange reports a command whose program or options come from an output, the alert or an input.
func (d *document) strange(s runbook.Step, step cue.Value, command []string) (p runbook.Problem, found bool) {
	text, hint := "", ""
	if program := d.knownProgram(s); len(command) == 0 || program == "" || command[0] != program {
		text = "the program is another one than was known before anything ran"
	} else if all := asWords(command); s.Risk == runbook.RiskRead && !d.org.mayRead(all, false) {
		says := notListedText
		if s.Rehearses != "" {
			says = rehearseText
		}
		text, hint = d.org.notRead(says, all, false)
	} else if option, found := d.foreignOption(s, step, command); found {
		text = fmt.Sprintf("the argument %q would be an option, but comes from an output, the alert or an input", option)
		hint = "put \"--\" before it, or write it behind a text such as \"--name=\""
	} else if word, found := d.foreignText(s, step, command); found {
		text = fmt.Sprintf("the argument %q holds more than one plain word of an output, the alert or an input: a program could read it as code", word)
		hint = "give it to the program in env, or on stdin"
	} else {
		return p, false
	}
	p = d.placeIn(s.Name, "exec", commandField(s))
	p.Text, p.Hint = text, hint
	return p, true
}

// foreignOption finds an argument that a program would take for an option although its author did not write it: an
// alert whose label is --output=/etc/passwd must not choose what runs. An option is the author's if it is written where this
// very argument comes from, whole, or up to where its name ends. What comes after the author's "--" is no option.
func (d *document) foreignOption(s runbook.Step, v cue.Value, command []string) (string, bool) {
	var o *origins
	for i, argument := range command {
		if i == 0 || !strings.HasPrefix(argument, "-") || argument == "-" {
			continue
		}
		if o == nil {
			o = d.origins(s, v)
		}
		if !ownOption.MatchString(o.start(i)) && !o.wrote(i, argument) {
			return argument, true
		}
		if argument == "--" {
			return "", false
		}
	}
	return "", false
}

// ownOption is a beginning of an argument after which only the option's value can follow: -n, or --name=.
var ownOption = regexp.MustCompile(`^-([^-=]|-[^=]+=)`)

// plainWord is what an argument with values of outputs or the alert may be: no spaces, quotes or signs that a shell, a
// query language or a template would read. It is a list of what is allowed, since lists of what is not are never whole.
var plainWord = regexp.MustCompile(`^-{0,2}[A-Za-z0-9_.:/@+=,%-]*$`)

// foreignText finds an argument that its author did not write as it is, and that is not one plain word.
func (d *document) foreignText(s runbook.Step, v cue.Value, command []string) (string, bool) {
	var o *origins
	for i, argument := range command {
		if i == 0 || plainWord.MatchString(argument) {
			continue
		}
		if o == nil {
			o = d.origins(s, v)
		}
		if !o.wrote(i, argument) {
			return argument, true
		}
	}
	return "", false
}

func commandOf(step cue.Value, in string) cue.Value {
	return step.LookupPath(cue.MakePath(cue.Str("exec"), cue.Str(in)))
}

// knownProgram returns the program of a step, from the text where it stands there and nothing else can.
func (d *document) knownProgram(s runbook.Step) string {
	values := d.refs.vals[joined(append(slices.Clone(d.homeOf[s.Name].path), "exec", commandField(s)))]
	if len(values) == 1 {
		if list, ok := values[0].(*ast.ListLit); ok && len(list.Elts) > 0 {
			if x, ok := list.Elts[0].(*ast.BasicLit); ok {
				if word, err := literal.Unquote(x.Value); err == nil {
					return word
				}
			}
		}
	}
	if words := d.knownWords(s.Name, commandField(s)); len(words) > 0 {
		return words[0]
	}
	return ""
}

// knownWords returns the first words of a command, as far as they are known. A list whose length depends on an output or
// the alert has no value yet; then they are read from the text.
func (d *document) knownWords(step, in string) (words []string) {
	at := append(slices.Clone(d.homeOf[step].path), "exec", in)
	var list *ast.ListLit
	if values := d.refs.vals[joined(at)]; len(values) > 0 {
		list, _ = values[0].(*ast.ListLit)
	}
	if list != nil && len(list.Elts) > 0 {
		if _, isFor := list.Elts[0].(*ast.Comprehension); isFor {
			return nil // as long as it yields nothing the second word looks like the first
		}
	}
	it, err := commandOf(d.step(d.inputless(), step), in).List()
	if err == nil {
		for it.Next() {
			word, err := it.Value().String()
			if err != nil {
				break
			}
			words = append(words, word)
		}
		return words
	}
	if list == nil {
		return nil
	}
	for _, e := range list.Elts {
		x, ok := e.(*ast.BasicLit)
		if !ok {
			break
		}
		word, err := literal.Unquote(x.Value)
		if err != nil {
			break
		}
		words = append(words, word)
	}
	return words
}
