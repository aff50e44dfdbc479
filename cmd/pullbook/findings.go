package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

// finding is a problem in a file on this machine. File is the path as the user would write it, with slashes.
type finding struct {
	runbook.Problem
	remark bool // it is no mistake
	disk   string
}

// level is what programs call it.
func (f finding) level() string {
	if f.remark {
		return "warning"
	}
	return "error"
}

// message is the problem with what to do about it.
func (f finding) message() string {
	if advice := f.Advice(); advice != "" {
		return f.sentence() + "\n" + advice
	}
	return f.sentence()
}

func (f finding) place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// sentence is the problem with the path of what it is about.
func (f finding) sentence() string {
	if f.Path == "" {
		return f.Text
	}
	return f.Path + ": " + f.Text
}

// sources are the lines of files, read once.
type sources map[string][]string

// line returns a line of a file, or nothing where it cannot be read: then there is no excerpt.
func (s sources) line(f finding) string {
	lines, ok := s[f.disk]
	if !ok {
		if text, err := os.ReadFile(f.disk); err == nil {
			lines = strings.Split(string(text), "\n")
		}
		s[f.disk] = lines
	}
	if f.Line < 1 || f.Line > len(lines) {
		return ""
	}
	return strings.TrimSuffix(lines[f.Line-1], "\r")
}

// printText prints each mistake as compilers do: the place and a sentence, the line with a mark below the place, and a hint. A
// remark is one line.
func printText(w io.Writer, found []finding) error {
	var b strings.Builder
	files := sources{}
	for i, f := range found {
		if f.remark {
			fmt.Fprintf(&b, "%s: remark: %s\n", f.place(), visible(f.sentence()))
			continue
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", f.place(), visible(f.sentence()))
		if line := files.line(f); strings.TrimSpace(line) != "" && f.Column >= 1 {
			text, mark := excerpt(line, min(f.Column-1, len(line))) // what is missing at the end of a line has its place behind it
			number := fmt.Sprint(f.Line)
			fmt.Fprintf(&b, "  %s | %s\n  %*s | %s\n", number, text, len(number), "", mark)
		}
		if advice := f.Advice(); advice != "" {
			fmt.Fprintf(&b, "  hint: %s\n", visible(advice))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// byteOrderMark is what some editors begin a file with. It has no width.
const byteOrderMark = "\ufeff"

// What an excerpt shows of a long line, in characters: the place, and what stands before it.
const (
	mostShown  = 120
	shownAhead = 40
)

// excerpt returns a line and, to stand below it, a mark of what begins at a byte of it. Tabs stay tabs in both.
func excerpt(line string, at int) (text, mark string) {
	for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
		at--
	}
	before, after := []rune(strings.TrimPrefix(line[:at], byteOrderMark)), []rune(line[at:])
	width := wordLength(line[at:])
	ahead, behind := "", ""
	if len(before)+len(after) > mostShown {
		if n := len(before) - shownAhead; n > 0 {
			before, ahead = before[n:], "…"
		}
		if n := mostShown - len(before); n < len(after) {
			after, behind = after[:n], "…"
		}
	}
	var pad strings.Builder
	for _, c := range ahead + string(before) {
		if c == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	return ahead + visible(string(before)+string(after)) + behind, pad.String() + strings.Repeat("^", max(1, min(width, len(after))))
}

// wordLength is the length of the name, the number or the text in quotes that a line begins with, in characters.
func wordLength(line string) int {
	n := 0
	quote := rune(0)
	escaped := false
	for _, c := range line {
		switch {
		case n == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0:
			if c == quote && !escaped {
				return n + 1
			}
			escaped = c == '\\' && !escaped
		case !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '#' && c != '-' && c != '.':
			return n
		}
		n++
	}
	return n
}

// visible keeps foreign text from steering the terminal.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || unicode.IsGraphic(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// printList prints a JSON list of objects.
func printList(w io.Writer, found []finding) error {
	type item struct {
		Level string `json:"level"` // error or warning
		runbook.Problem
	}
	list := make([]item, len(found))
	for i, f := range found {
		list[i] = item{f.level(), f.Problem}
	}
	return printJSON(w, list)
}

// printCommands prints what makes GitHub Actions annotate lines ("Workflow commands for GitHub Actions", setting an error
// message). How texts are escaped is in actions/toolkit, packages/core/src/command.ts.
func printCommands(w io.Writer, found []finding) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	files := sources{}
	for _, f := range found {
		at := "file=" + property.Replace(f.File)
		if f.Line > 0 {
			at += fmt.Sprintf(",line=%d,col=%d", f.Line, f.Column)
			if line := files.line(f); f.Column >= 1 && f.Column <= len(line) {
				at += fmt.Sprintf(",endColumn=%d", f.Column+wordLength(line[f.Column-1:]))
			}
		}
		if _, err := fmt.Fprintf(w, "::%s %s,title=%s::%s\n", f.level(), at, property.Replace("pullbook vet"), data.Replace(f.message())); err != nil {
			return err
		}
	}
	return nil
}
