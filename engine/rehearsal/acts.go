// Package rehearsal looks into the files that a step would be rehearsed with.
//
// Nobody has approved anything when a step is rehearsed. So what is pinned must not say that it acts then: a task of Ansible
// that leaves check mode, and a program that a configuration of Terraform starts for its data.
//
//	kind + path + text ─ Acts ─ what in it acts, with its line and a hint
//
// `pullbook vet` asks when somebody writes the runbook, and the runner once more before it starts anything: the answer is the
// same, since it follows from the bytes.
//
// What is not pinned, such as roles and modules from elsewhere, and the code of providers and of Ansible's modules, nobody
// looks into. The package reads no file itself.
package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Act is a place in a pinned file that would do something in a rehearsal.
type Act struct {
	Text string // with the file and, where it is known, the line
	Hint string
}

// Acts finds what would act in a rehearsal of a step of a kind, such as "ansible". Of other kinds it knows nothing.
func Acts(kind, name string, text []byte) (Act, bool) {
	if !Looks(kind, name) {
		return Act{}, false
	}
	if kind == "ansible" {
		return inCheckMode(name, text)
	}
	at := startsProgram.FindIndex(text)
	if at == nil {
		return Act{}, false
	}
	return Act{fmt.Sprintf(`the plan would do more than look: %s:%d has data "external", which starts a program`, name, lineAt(text, at[0])),
		"run it in a step of its own, and give what it finds out in vars"}, true
}

// Kinds are the kinds of steps that Acts knows.
func Kinds() []string { return []string{"ansible", "terraform"} }

// Looks reports whether a file of that name matters at all: Ansible reads tasks from any file, and its modules, which are
// programs, keep to check mode by themselves; Terraform reads those of its own endings.
func Looks(kind, name string) bool {
	switch kind {
	case "ansible":
		return path.Ext(name) != ".py"
	case "terraform":
		ext := path.Ext(strings.TrimSuffix(name, ".json"))
		return ext == ".tf" || ext == ".tofu"
	}
	return false
}

// leavesCheckMode are the keywords that take a task out of check mode, or put it there.
var leavesCheckMode = regexp.MustCompile(`\b(check_mode|always_run)\b`)

// startsProgram is a data source "external" of a configuration, in its own syntax and in JSON.
var startsProgram = regexp.MustCompile(`(?s)\bdata(\s|/\*.*?\*/)*"?external\b|"external"\s*:`)

// inCheckMode finds what says in a playbook, or a part of one, that some of it runs in a rehearsal all the same.
func inCheckMode(name string, text []byte) (Act, bool) {
	if !leavesCheckMode.Match(text) && !bytes.Contains(text, []byte(`\`)) {
		return Act{}, false
	}
	word, line, err := taskOutside(text)
	if err != nil { // no YAML: a template, or what Ansible alone can read
		if at := leavesCheckMode.FindIndex(text); at != nil {
			word, line = string(text[at[0]:at[1]]), lineAt(text, at[0])
		}
	}
	if word == "" {
		return Act{}, false
	}
	return Act{fmt.Sprintf("the rehearsal would do more than look: %s:%d says %s", name, line, word),
		"say check: false in the step, which then is not rehearsed, or leave out " + word}, true
}

func lineAt(text []byte, at int) int { return 1 + bytes.Count(text[:at], []byte("\n")) }

// taskOutside finds a keyword in a YAML file that takes a task out of check mode. Only check_mode: true does not.
func taskOutside(text []byte) (word string, line int, err error) {
	defer func() {
		if x := recover(); x != nil { // a library reads what anybody can write
			err = fmt.Errorf("read YAML: %v", x)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return "", 0, nil
		} else if err != nil {
			return "", 0, fmt.Errorf("read YAML: %w", err)
		}
		if word, line = keywordIn(&doc); word != "" {
			return word, line, nil
		}
	}
}

// keywordIn looks at a node and all below it. What an alias stands for is in the tree as well, where its anchor is.
func keywordIn(n *yaml.Node) (word string, line int) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (child.Value == "check_mode" || child.Value == "always_run") {
			if to := n.Content[i+1]; child.Value != "check_mode" || to.Kind != yaml.ScalarNode || !slices.Contains([]string{"true", "yes"}, strings.ToLower(to.Value)) {
				return child.Value, child.Line
			}
		}
		if word, line = keywordIn(child); word != "" {
			return word, line
		}
	}
	return "", 0
}
