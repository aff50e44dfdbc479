package step

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Nobody has approved anything when a step is rehearsed. So what is pinned must not say that it acts then: a task of Ansible
// that leaves check mode, and a program that a configuration starts for its data. What is not pinned, such as roles and
// modules from elsewhere, and the code of providers and of Ansible's modules, nobody looks into.

// leavesCheckMode are the keywords that take a task out of check mode, or put it there.
var leavesCheckMode = regexp.MustCompile(`\b(check_mode|always_run)\b`)

// startsProgram is a data source "external" of a configuration, in its own syntax and in JSON.
var startsProgram = regexp.MustCompile(`(?s)\bdata(\s|/\*.*?\*/)*"?external\b|"external"\s*:`)

// inCheckMode refuses a playbook which says that some of it runs in a rehearsal all the same.
func (a *attempt) inCheckMode() error {
	for _, name := range slices.Sorted(maps.Keys(a.job.Files)) {
		text := a.job.Files[name].Data
		if path.Ext(name) == ".py" || !leavesCheckMode.Match(text) && !bytes.Contains(text, []byte(`\`)) {
			continue
		}
		word, err := taskOutside(text)
		if err != nil { // no YAML: a template, or what Ansible alone can read
			word = string(leavesCheckMode.Find(text))
		}
		if word != "" {
			return fmt.Errorf("the rehearsal would do more than look: %s says %s; say check: false in the step, which then is not rehearsed, or leave out %s",
				name, word, word)
		}
	}
	return nil
}

// taskOutside finds a keyword in a YAML file that takes a task out of check mode. Only check_mode: true does not.
func taskOutside(text []byte) (word string, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return "", nil
		} else if err != nil {
			return "", fmt.Errorf("read YAML: %w", err)
		}
		if word := keywordIn(&doc); word != "" {
			return word, nil
		}
	}
}

// keywordIn looks at a node and all below it. What an alias stands for is in the tree as well, where its anchor is.
func keywordIn(n *yaml.Node) string {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (child.Value == "check_mode" || child.Value == "always_run") {
			if to := n.Content[i+1]; child.Value != "check_mode" || to.Kind != yaml.ScalarNode || !slices.Contains([]string{"true", "yes"}, strings.ToLower(to.Value)) {
				return child.Value
			}
		}
		if word := keywordIn(child); word != "" {
			return word
		}
	}
	return ""
}

// plansOnly refuses a configuration that starts programs while it is planned.
func (a *attempt) plansOnly() error {
	for _, name := range slices.Sorted(maps.Keys(a.job.Files)) {
		base := strings.TrimSuffix(name, ".json")
		if ext := path.Ext(base); ext != ".tf" && ext != ".tofu" {
			continue
		}
		if startsProgram.Match(a.job.Files[name].Data) {
			return fmt.Errorf(`the plan would do more than look: %s has data "external", which starts a program; run it in a step of its own, and give what it finds out in vars`, name)
		}
	}
	return nil
}
