package cueval

import (
	"fmt"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
)

// CUE's errors have no codes. Their formats are what tells them apart, so that is what this file looks at, and only
// this file. A format that it does not know is passed on in CUE's words: a change of CUE makes a text plainer, and
// whether there is a problem never depends on it, except in the trial, which is an extra (see typeMistake).

type errorKind int

const (
	otherKind  errorKind = iota
	notAllowed           // a field that the schema does not have
	required             // a field that the schema demands
	undefined            // a reference to a field that is not there
	noValue              // a type where a value is wanted
)

// classify tells the kind of an error, and the name that an undefined reference asked for.
func classify(e errors.Error) (errorKind, string) {
	for inner := error(e); inner != nil; inner = errors.Unwrap(inner) {
		ce, ok := inner.(errors.Error)
		if !ok {
			break
		}
		switch format, args := ce.Msg(); format {
		case "field not allowed", "field not allowed: %s":
			return notAllowed, ""
		case "field is required but not present":
			return required, ""
		case "undefined field: %s":
			if len(args) == 1 {
				return undefined, fmt.Sprint(args[0])
			}
		case "incomplete value %v":
			if len(args) == 1 {
				return noValue, fmt.Sprint(args[0])
			}
		}
	}
	// An error inside an interpolation is wrapped into text.
	if _, name, found := strings.Cut(e.Error(), "undefined field: "); found {
		return undefined, name
	}
	return otherKind, ""
}

// typeMistake reports whether an error of a trial is one that no value of the declared types would avoid. Others, such
// as an index out of range, may come from the made-up values alone.
func typeMistake(e errors.Error) bool {
	text := e.Error()
	for _, s := range []string{"invalid operand", "mismatched types", "cannot use", "undefined field", "cannot call"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// isConflict reports whether an error is about values of two types. Two values of one type are in conflict as well, but
// then both of them tell more than the type would.
func isConflict(e errors.Error) bool { return strings.Contains(e.Error(), "mismatched types") }

// isEmptyList reports whether an error is about a list without elements where the schema wants one.
func isEmptyList(e errors.Error) bool {
	format, args := e.Msg()
	return format == "incompatible list lengths (%d and %d)" && len(args) == 2 && fmt.Sprint(args[0]) == "0"
}

// noAlternative reports whether a value fits none of a choice of types.
func noAlternative(e errors.Error) bool {
	format, _ := e.Msg()
	return format == "%d errors in empty disjunction:"
}

// longestText is how much of CUE's words is kept, in bytes: they can hold whole values.
const longestText = 300

// plain is an error in CUE's words, without its path.
func plain(e errors.Error) string {
	text := strings.Join(strings.Fields(e.Error()), " ")
	if path := strings.Join(e.Path(), "."); path != "" {
		text = strings.TrimPrefix(text, path+": ")
	}
	text = strings.TrimSuffix(strings.ReplaceAll(text, "#Runbook.", ""), ":")
	if format, args := e.Msg(); strings.HasPrefix(format, "invalid operands ") && len(args) == 5 {
		text = fmt.Sprintf("'%s' does not take %s and %s", args[2], args[3], args[4])
	}
	if _, rest, found := strings.Cut(text, "invalid interpolation: cannot use "); found {
		if _, kind, found := strings.Cut(rest, " (type "); found {
			kind, _, _ = strings.Cut(kind, ")")
			text = fmt.Sprintf("a %s cannot stand in a text", kind)
		}
	}
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "…"
	}
	return text
}

// syntaxWords is an error of the parser, with what stands in the file and without the parser's names for it.
func syntaxWords(e errors.Error) string {
	switch format, args := e.Msg(); {
	case format == "expected %s, found '%s' %s" && len(args) == 3:
		return fmt.Sprintf("expected %s, found %s", args[0], args[2])
	case atEnd(e):
		return fmt.Sprintf("expected %s, found the end of the file", args[0])
	case format == "expected %s, found '%s'" && len(args) == 2 && fmt.Sprint(args[0]) == "'EOF'":
		return fmt.Sprintf("%s closes nothing", args[1])
	}
	return plain(e)
}

// atEnd reports whether the parser has come to the end of a file too early.
func atEnd(e errors.Error) bool {
	format, args := e.Msg()
	return format == "expected %s, found '%s'" && len(args) == 2 && fmt.Sprint(args[1]) == "EOF"
}

// lookup follows a path through the optional fields and the patterns of a definition.
func lookup(v cue.Value, path []string) (cue.Value, bool) {
	for _, s := range path {
		next := cue.Value{}
		for _, sel := range []cue.Selector{cue.Str(s), cue.Str(s).Optional(), cue.Str(s).Required()} {
			if next = v.LookupPath(cue.MakePath(sel)); next.Exists() {
				break
			}
		}
		if !next.Exists() && v.IncompleteKind() == cue.ListKind {
			if i, err := index(s); err == nil {
				next = v.LookupPath(cue.MakePath(cue.Index(i)))
			}
			if !next.Exists() {
				next = v.LookupPath(cue.MakePath(cue.AnyIndex))
			}
		}
		if !next.Exists() {
			return v, false
		}
		v = next
	}
	return v, true
}

func index(s string) (int, error) { return strconv.Atoi(s) }

// fieldNames are the names that a definition has, optional ones included.
func fieldNames(v cue.Value) (out []string) {
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil
	}
	for it.Next() {
		if it.Selector().LabelType() == cue.StringLabel {
			out = append(out, it.Selector().Unquoted())
		}
	}
	return out
}

// outOfBound is the value that an error says is not what a bound or a pattern admits.
func outOfBound(e errors.Error) (value string, ok bool) {
	if format, _ := e.Msg(); format != "invalid value %s (out of bound %s)" && format != "invalid value %v (out of bound %s)" && format != "invalid value %v (out of bound %v)" {
		return "", false
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(plain(e), "invalid value "), " (out of bound ")
	return text, true
}

// alternatives are the texts of an enumeration, quoted.
func alternatives(v cue.Value) (out []string) {
	op, vs := cue.Dereference(v).Expr()
	if op != cue.OrOp {
		return nil
	}
	for _, x := range vs {
		s, err := x.String()
		if err != nil {
			return nil
		}
		out = append(out, strconv.Quote(s))
	}
	return out
}

// rule says in words what a definition of the schema demands of a text, or nothing.
func rule(v cue.Value) string {
	_, path := v.ReferencePath()
	switch path.String() {
	case "#Duration":
		return `a length of time, such as "90s", "1m30s" or "2d"`
	case "#Name":
		return "the name of a step: small letters, digits and _, beginning with a letter"
	case "#Who":
		return `a user or a team, such as "alice" or "acme/sre"`
	case "#Approver":
		return `a user or a team, such as "alice" or "acme/sre", "service:owners" or "code:owners"`
	case "#Login":
		return `a login of the hub, such as "alice"`
	case "#Slug":
		return `a team of the hub, such as "acme/sre"`
	case "#Email":
		return "an e-mail address"
	case "#Path":
		return "a path in the ledger, relative to its root"
	case "#Address":
		return `an e-mail address, such as "ops@example.org"`
	case "#Label":
		return "a name: letters, digits and _.-, beginning with a letter or digit"
	case "#Word":
		return "one plain word: letters, digits and _.-"
	case "#Clock":
		return `a time of the day, such as "09:30"`
	case "#Lock":
		return "the name of a lock: letters, digits and _.:/-, beginning with a letter or digit, at most 100"
	case "#Variable":
		return "the name of a secret: capital letters, digits and _"
	}
	return ""
}

// keyRule says what the names of a map of the schema are.
func keyRule(path []string) string {
	if len(path) < 2 {
		return ""
	}
	switch path[len(path)-2] {
	case "inputs":
		return "an input: letters, digits and _, beginning with a letter"
	case "people", "teams", "services", "intake":
		return path[len(path)-2] + ": letters, digits and _.-, beginning with a letter or digit"
	case "env":
		return "an environment variable: capital letters, digits and _"
	case "headers":
		return "a header: letters, digits and -, and not one that stands for the method"
	}
	return ""
}
