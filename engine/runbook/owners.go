package runbook

import (
	"maps"
	"slices"
	"strings"
)

// Words that stand for people in the list of a rule. The colon keeps them apart from every user and team. In a frozen plan
// those stand in their place whom they meant.
const (
	ServiceOwners = "service:owners" // the owners of the runbook's service
	CodeOwners    = "code:owners"    // the owners of the files that make the step and of those that it uses
)

// StandsFor reports whether a name of a rule is a word that stands for people.
func StandsFor(name string) bool { return name == ServiceOwners || name == CodeOwners }

// Says reports whether a rule, or a list that it escalates to, names a word.
func (a Approval) Says(word string) bool {
	return slices.Contains(a.From, word) || slices.ContainsFunc(slices.Concat(a.All, a.Any, a.Escalate), func(part Approval) bool { return part.Says(word) })
}

// With is the rule with people in the place of a word, in all of its parts; whence says what each of them is there.
func (a Approval) With(word string, people []string, whence string) Approval {
	each := func(parts []Approval) []Approval {
		out := slices.Clone(parts)
		for i := range out {
			out[i] = out[i].With(word, people, whence)
		}
		return out
	}
	a.All, a.Any, a.Escalate = each(a.All), each(a.Any), each(a.Escalate)
	if !slices.Contains(a.From, word) {
		return a
	}
	var from []string
	add := func(who string) {
		if !slices.ContainsFunc(from, func(known string) bool { return strings.EqualFold(known, who) }) {
			from = append(from, who)
		}
	}
	whences := maps.Clone(a.Whence)
	for _, who := range a.From {
		if who != word {
			add(who)
			continue
		}
		for _, owner := range people {
			add(owner)
			if whences == nil {
				whences = map[string]string{}
			}
			if before := whences[owner]; before != "" && before != whence {
				whences[owner] = before + ", " + whence
			} else {
				whences[owner] = whence
			}
		}
	}
	a.From, a.Whence = from, whences
	return a
}

// named are the people of a list, each with what it is where a word brought it in: "acme/sre, alice (owner of service shop)".
func named(from []string, whence map[string]string) string {
	out := slices.Clone(from)
	for i, who := range out {
		if why := whence[who]; why != "" {
			out[i] += " (" + why + ")"
		}
	}
	return strings.Join(out, ", ")
}

// OwnerOfCode is what those are whom CodeOwners stands for.
const OwnerOfCode = "code owner"

// Code lists the files that make a step and those that it uses, sorted, each once.
func (s Step) Code() (files []string) {
	for _, l := range s.Lines {
		files = append(files, l.File)
	}
	for _, f := range s.Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// OwnersOf are the users and teams that own any file of a step, sorted, each once. A step that no gate can ask about has
// none. Owns says who owns a file.
func (s Step) OwnersOf(owns func(path string) []string) (who []string) {
	if s.Approval == nil && s.Risk == RiskRead {
		return nil
	}
	for _, file := range s.Code() {
		for _, owner := range owns(file) {
			if !slices.ContainsFunc(who, func(known string) bool { return strings.EqualFold(known, owner) }) {
				who = append(who, owner)
			}
		}
	}
	slices.Sort(who)
	return who
}

// OwnCode writes the code owners of each step into a plan whose files are pinned, and puts them in the place of the word that
// stands for them. A step that asks them and has none, or fewer than it asks for, is a problem.
func (p *Plan) OwnCode(owns func(path string) []string) (problems []Problem) {
	for i := range p.Steps {
		step := &p.Steps[i]
		step.CodeOwners = step.OwnersOf(owns)
		if step.Approval == nil || !step.Approval.Says(CodeOwners) {
			continue
		}
		problem := Problem{Path: "steps." + step.Name + ".approval"}
		if len(step.CodeOwners) == 0 {
			problem.Text = "asks the code owners, and CODEOWNERS names none of " + strings.Join(step.Code(), ", ")
			problem.Hint = "name @users or @org/teams for these files in .github/CODEOWNERS"
			problems = append(problems, problem)
			continue
		}
		rule := step.Approval.With(CodeOwners, step.CodeOwners, OwnerOfCode)
		step.Approval = &rule
		for _, part := range rule.lists() {
			if people := len(part.From); part.Count > people && !slices.ContainsFunc(part.From, func(who string) bool { return strings.Contains(who, "/") }) {
				problem.Text = Leaf{part.From, part.Count, part.Whence}.String() + ": these are too few"
				problem.Hint = "ask for fewer, or name a team"
				problems = append(problems, problem)
			}
		}
	}
	return problems
}

// lists are the parts of a rule, and of all that it escalates to, that name people.
func (a Approval) lists() (out []Approval) {
	if len(a.From) > 0 {
		out = append(out, a)
	}
	for _, part := range slices.Concat(a.All, a.Any, a.Escalate) {
		out = append(out, part.lists()...)
	}
	return out
}

// Asked lists, for each list of a rule that asks the code owners, whom it names as them.
func (a Approval) Asked() (owners [][]string) {
	for _, part := range a.lists() {
		var who []string
		for name, why := range part.Whence {
			if slices.Contains(strings.Split(why, ", "), OwnerOfCode) {
				who = append(who, name)
			}
		}
		if slices.Sort(who); len(who) > 0 {
			owners = append(owners, who)
		}
	}
	return owners
}
