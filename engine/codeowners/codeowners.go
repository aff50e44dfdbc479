// Package codeowners reads a CODEOWNERS file as GitHub does and says who owns a path.
//
// Words:
//
//   - A rule is a line: a pattern of paths and its owners, none or several.
//   - An owner is a user (login) or a team (org/slug), without the @ that the file writes.
//   - What is lost of a file is what GitHub ignores, and e-mail addresses, of which nobody here knows whose they are.
//
// The last rule that matches a path says who owns it; one without owners says that nobody does. A line that cannot be read is no
// rule, and a file of more than 3 MB is as if it were not there. The format and its limits are those of
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
//
//	text of the first of Places that is there ─ Parse ─ File ─ Of(path) = owners
//
// The package reads no files, and asks nobody whether an owner exists or may write.
package codeowners

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// longest is the size of a file, in bytes, from which GitHub does not read it.
const longest = 3 << 20

// Places are where a repository's file can be, in the order in which GitHub looks: only the first that is there counts.
func Places() []string { return []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} }

// File is what a CODEOWNERS file says.
type File struct {
	Lost  []string // what does not count of it and why, by line, for people
	rules []rule
}

type rule struct {
	pattern *regexp.Regexp
	owners  []string
}

var (
	user = regexp.MustCompile(`^@([A-Za-z0-9-]+(?:_[A-Za-z0-9]+)?)$`)
	team = regexp.MustCompile(`^@([A-Za-z0-9-]+(?:_[A-Za-z0-9]+)?/[A-Za-z0-9_.-]+)$`)
	mail = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
)

// Parse reads the text of a file. Nothing in it is an error: what GitHub would not read is lost.
func Parse(text []byte) (f File) {
	if len(text) > longest {
		return File{Lost: []string{"the file is larger than 3 MB: none of it counts"}}
	}
	n := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		n++
		words := split(line)
		if len(words) == 0 {
			continue
		}
		r, lost := ruleOf(words)
		if r.pattern != nil {
			f.rules = append(f.rules, r)
		}
		for _, why := range lost {
			f.Lost = append(f.Lost, fmt.Sprintf("line %d: %s", n, why))
		}
	}
	return f
}

// Of returns the owners of a path, which is relative to the repository's root: logins and teams, in the order of the file.
func (f File) Of(path string) []string {
	for _, r := range slices.Backward(f.rules) {
		if r.pattern.MatchString(path) {
			return r.owners
		}
	}
	return nil
}

// split cuts a line at blanks that no backslash precedes. A word that begins with # is a comment, and so is what follows it.
func split(line string) (words []string) {
	word, escaped := "", false
	for _, c := range strings.TrimSpace(line) + " " {
		switch {
		case escaped:
			word, escaped = word+`\`+string(c), false
		case c == '\\':
			escaped = true
		case c != ' ' && c != '\t':
			word += string(c)
		case strings.HasPrefix(word, "#"):
			return words
		case word != "":
			words, word = append(words, word), ""
		}
	}
	if word != "" { // unreachable but for a backslash at the end of the line
		words = append(words, word)
	}
	return words
}

// ruleOf reads the words of a line. With one word that is no owner the whole line is lost.
func ruleOf(words []string) (r rule, lost []string) {
	for _, word := range words[1:] {
		if m := user.FindStringSubmatch(word); m != nil {
			r.owners = append(r.owners, m[1])
		} else if m := team.FindStringSubmatch(word); m != nil {
			r.owners = append(r.owners, m[1])
		} else if mail.MatchString(word) {
			lost = append(lost, fmt.Sprintf("%q is an e-mail address: nobody knows whose; write the login", word))
		} else {
			return rule{}, []string{fmt.Sprintf("%q is neither @user, @org/team nor an e-mail address: the line does not count", word)}
		}
	}
	pattern, why := expression(words[0])
	if why != "" {
		return rule{}, []string{fmt.Sprintf("the pattern %q %s: the line does not count", words[0], why)}
	}
	r.pattern = pattern
	return r, lost
}

// expression is a pattern as a regular expression over whole paths. Patterns are those of .gitignore without negation and
// ranges; a * at the end does not reach into directories.
func expression(pattern string) (re *regexp.Regexp, why string) {
	switch {
	case strings.Trim(pattern, "/") == "":
		return nil, "means no file"
	case strings.ContainsAny(pattern, "[]"):
		return nil, "has a range of characters"
	case strings.HasPrefix(pattern, "!"):
		return nil, "is a negation"
	case strings.HasPrefix(pattern, `\#`):
		return nil, "begins with #"
	case strings.Contains(pattern, "***"):
		return nil, "has three stars"
	}
	inside, whole := strings.TrimSuffix(pattern, "/"), strings.Trim(pattern, "/")
	var b strings.Builder
	b.WriteString(`\A`)
	if !strings.Contains(inside, "/") {
		b.WriteString(`(?:.*/)?`) // a single name is meant at any depth
	}
	segments := strings.Split(whole, "/")
	last := len(segments) - 1
	for i, segment := range segments {
		switch {
		case segment == "**" && i == last:
			b.WriteString(`.+`)
		case segment == "**":
			b.WriteString(`(?:.*/)?`)
		case i == last:
			b.WriteString(wildcards(segment))
		default:
			b.WriteString(wildcards(segment) + "/")
		}
	}
	switch {
	case inside != pattern:
		b.WriteString(`/.+`)
	case segments[last] != "*" && segments[last] != "**":
		b.WriteString(`(?:/.*)?`) // a directory means all that is in it
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return nil, "cannot be read" // unreachable unless it is so long that no expression can be made of it
	}
	return re, ""
}

// wildcards is one part of a path as a regular expression.
func wildcards(segment string) string {
	var b strings.Builder
	escaped := false
	for _, c := range segment {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == '\\':
			escaped = true
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}
