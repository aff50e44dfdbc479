package cueval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// kind is what the house knows of one kind of step. All of it stands in the schema, as attributes of the kind's field in
// #Work and of the fields of its definition; "A kind as data" in schema/README.md says what each attribute means.
type kind struct {
	name    runbook.Kind
	engine  bool          // the engine's own: no runner performs it
	risk    runbook.Risk  // where the author does not say, and no field says more
	timeout time.Duration // of one attempt, where the author does not say
	again   bool          // repeating does no harm
	puts    []string      // all that it can put out; nil: what the author says
	tries   bool          // it finds out what it would do before people approve, whatever its author says of that
	traits  []trait
}

// trait is what the schema says of one field of a kind.
type trait struct {
	path     []string // below the kind
	static   bool     // must be known before anything runs
	free     bool     // the author chooses the names below it
	named    bool     // a struct of which the schema names no field: the author does
	duration bool
	ledger   bool                    // paths of files of the ledger
	tree     bool                    // or of directories
	dir      bool                    // of directories alone
	tries    bool                    // false in it means that the step is not rehearsed
	tried    string                  // the field in whose place the rehearsal has it; where it is there the step is rehearsed
	written  bool                    // no input decides it
	channel  bool                    // names of channels; what runs holds the channels themselves
	secret   bool                    // names of secrets
	repeat   bool                    // how long after its success the step is due again
	one      string                  // exactly one of the fields with the same word is there
	later    string                  // laterAnswer or laterCondition: decided anew on each answer
	risks    map[string]runbook.Risk // by the text of the field
	with     []string                // the field beside it that must have one of the texts that follow
}

// What is decided later.
const (
	laterAnswer    = "answer"
	laterCondition = "condition"
)

// deepestTrait bounds the walk through a definition: #Probe holds a request, which holds headers.
const deepestTrait = 3

// readKinds reads the kinds of the schema, in its order, but for those that were read before.
func readKinds(types cue.Value, read map[runbook.Kind]kind) (kinds []kind) {
	it, err := types.LookupPath(cue.MakePath(cue.Def(workName))).Fields(cue.Optional(true))
	if err != nil {
		return nil // unreachable: the schema is embedded, and the tests read it
	}
	for it.Next() {
		a := it.Value().Attribute("kind")
		if a.Err() != nil {
			continue
		}
		k, known := read[runbook.Kind(it.Selector().Unquoted())]
		if known {
			kinds = append(kinds, k)
			continue
		}
		k = kind{name: runbook.Kind(it.Selector().Unquoted()), engine: has(a, "engine"), again: has(a, "again"),
			tries: has(a, "rehearsal")}
		k.risk, k.puts = runbook.Risk(argument(a, "risk")), strings.Fields(argument(a, "puts"))
		k.timeout, _ = runbook.ParseDuration(argument(a, "timeout"))
		k.traits = traitsOf(it.Value(), nil)
		kinds, read[k.name] = append(kinds, k), k
	}
	return kinds
}

func has(a cue.Attribute, name string) bool {
	set, err := a.Flag(0, name)
	return err == nil && set
}

func argument(a cue.Attribute, name string) string {
	text, _, err := a.Lookup(0, name)
	if err != nil {
		return ""
	}
	return text
}

func traitsOf(def cue.Value, above []string) (traits []trait) {
	it, err := def.Fields(cue.Optional(true))
	if err != nil || len(above) >= deepestTrait {
		return nil
	}
	for it.Next() {
		v := it.Value()
		t := trait{path: extend(above, it.Selector().Unquoted())}
		t.read(v)
		if !t.plain() {
			traits = append(traits, t)
		}
		if v.IncompleteKind() == cue.StructKind {
			traits = append(traits, traitsOf(v, t.path)...)
		}
	}
	return traits
}

func (t *trait) plain() bool {
	return !t.static && !t.free && !t.named && !t.duration && !t.ledger && !t.tries && t.tried == "" && !t.channel && !t.written && !t.secret && !t.repeat && t.one == "" && t.later == "" && t.risks == nil && t.with == nil
}

// read takes a field's type and attributes.
func (t *trait) read(v cue.Value) {
	k := v.IncompleteKind()
	t.free = k == cue.TopKind || k&cue.StructKind != 0 && k != cue.StructKind
	t.named = k == cue.StructKind && len(fieldNames(v)) == 0
	_, ref := v.ReferencePath()
	t.duration = ref.String() == "#Duration"
	for _, a := range v.Attributes(cue.FieldAttr) {
		switch a.Name() {
		case "static":
			t.static = true
		case "ledger":
			t.ledger, t.static, t.dir = true, true, a.Contents() == "dir"
			t.tree = t.dir || a.Contents() == "tree"
		case "rehearsal":
			t.tried = a.Contents()
			t.tries, t.static = t.tried == "", t.tried == ""
		case "written":
			t.written, t.static = true, true
		case "channel":
			t.channel, t.static = true, true
		case "secret":
			t.secret = true
		case "repeat":
			t.repeat, t.static = true, true
		case "one":
			t.one = a.Contents()
		case "later":
			t.later = a.Contents()
		case "risk":
			t.static, t.risks = true, map[string]runbook.Risk{}
			for i := range a.NumArgs() {
				text, risk := a.Arg(i)
				t.risks[text] = runbook.Risk(risk)
			}
		case "with":
			for i := range a.NumArgs() {
				text, _ := a.Arg(i)
				t.with = append(t.with, text)
			}
		}
	}
}

// kind returns what the schema says of a kind.
func (d *document) kind(name runbook.Kind) kind {
	i := slices.IndexFunc(d.kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{name: name} // unreachable: kindOf found it among the same kinds
	}
	return d.kinds[i]
}

// later returns the name of the field of a kind that is decided later in the given way, or nothing.
func (k kind) later(how string) string {
	for _, t := range k.traits {
		if t.later == how {
			return t.path[0]
		}
	}
	return ""
}

// trait returns what is said of a field.
func (k kind) trait(path ...string) trait {
	i := slices.IndexFunc(k.traits, func(t trait) bool { return slices.Equal(t.path, path) })
	if i < 0 {
		return trait{path: path}
	}
	return k.traits[i]
}

// inside returns what is said of the field of a kind that a path below a step leads to.
func inside(kinds []kind, path []string) (t trait) {
	if len(path) < 2 {
		return trait{}
	}
	for _, k := range kinds {
		if string(k.name) == path[0] {
			return k.trait(path[1:]...)
		}
	}
	return trait{}
}

// listed joins words as a sentence does.
func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// traits checks a step against what the schema says of the fields of its kind.
func (s *skeleton) traits(v cue.Value, k kind) {
	if !k.engine && k.name != runbook.KindExec && s.step.Risk.Less(k.risk) { // of exec the policy says which commands only read
		s.problem(fmt.Sprintf("%s is not of risk %q", k.name, s.step.Risk), "leave risk out", "risk")
	}
	s.steering()
	found, all := map[string]int{}, map[string][]string{}
	for _, t := range k.traits {
		f := deeper(v, t.path)
		if t.one != "" {
			all[t.one] = append(all[t.one], t.path[len(t.path)-1])
		}
		switch at := append([]string{string(k.name)}, t.path...); {
		case f.Exists():
			found[t.one]++
			s.trait(v, k, t, f)
		case t.static && s.doc.undecided(s.doc.step(s.doc.static(), s.step.Name), s.step.Name, at):
			s.problem("must be known before anything runs", "a condition beside it depends on outputs or the alert; make a step with when of each case", at...)
		}
	}
	for group, names := range all {
		if found[group] != 1 {
			s.problem(fmt.Sprintf("%s has exactly one of %s", k.name, listed(names, "and")), "", string(k.name))
		}
	}
}

func (s *skeleton) trait(v cue.Value, k kind, t trait, f cue.Value) {
	at := append([]string{string(k.name)}, t.path...)
	if t.static && !s.known(f, at...) {
		return
	}
	text, _ := f.String()
	if t.duration && text != "" {
		if d, ok := runbook.ParseDuration(text); !ok || d <= 0 {
			s.problem(fmt.Sprintf("%q is no time to wait", text), "more than nothing, at most 366d", at...)
		}
	}
	if s.step.Risk.Less(t.risks[text]) {
		s.problem(fmt.Sprintf("with %s %q a step is not of risk %q", t.path[len(t.path)-1], text, s.step.Risk), "leave risk out", "risk")
	}
	if len(t.with) > 1 {
		s.with(v, t, at)
	}
	if t.ledger {
		s.files(f, t, at...)
	}
	if t.channel {
		s.channels(f, at...)
	}
	if t.repeat {
		s.repeats(text, at...)
	}
}

// with refuses a field that has no meaning beside the value of another one.
func (s *skeleton) with(v cue.Value, t trait, at []string) {
	beside, wanted := t.with[0], t.with[1:]
	v = deeper(v, t.path[:len(t.path)-1])
	if text, _ := field(v, beside).String(); slices.Contains(wanted, text) {
		return
	}
	quoted := make([]string, len(wanted))
	for i, w := range wanted {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	name := t.path[len(t.path)-1]
	s.problem(fmt.Sprintf("%s has a meaning only with %s %s", name, beside, listed(quoted, "or")), "", at...)
}

// files collects the files of the ledger that a field names, one or a list of them.
func (s *skeleton) files(f cue.Value, t trait, at ...string) {
	for i, p := range textsOf(f) {
		if !local(p) {
			s.problem(fmt.Sprintf("%q is no clean path inside the ledger", p), "", at...)
			continue
		}
		file := runbook.File{Path: p, Tree: t.tree}
		s.file(file)
		s.use(file, t.dir, entry(f, i, at)...)
	}
}

// textsOf reads a text or a list of texts. The schema has the type, and reports what is neither.
func textsOf(f cue.Value) (texts []string) {
	if one, err := f.String(); err == nil {
		return []string{one}
	}
	if f.Decode(&texts) != nil {
		return nil
	}
	return texts
}

// file adds a file to those that the step uses, sorted, each once.
func (s *skeleton) file(f runbook.File) {
	i, found := slices.BinarySearchFunc(s.step.Files, f, func(a, b runbook.File) int { return strings.Compare(a.Path, b.Path) })
	if found {
		s.step.Files[i].Exec = s.step.Files[i].Exec || f.Exec
		return
	}
	s.step.Files = slices.Insert(s.step.Files, i, f)
}
