package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// fileList is a diff as a page shows it.
type fileList struct {
	Files                []fileDiff
	Additions, Deletions int
	Hidden               int // files beyond what one page shows
}

type fileDiff struct {
	git.File
	Anchor string
	Lines  []line
	Cut    int // lines that are not shown
	Closed bool
}

// line is one line of a diff. Kind is add, del, hunk, note or same.
type line struct {
	Kind     string
	Old, New string
	Text     string
}

// What one page shows: GitHub stops at 300 files too.
const (
	shownFiles = 300
	shownLines = 1500
	openLines  = 400 // files longer than this start folded
)

func showFiles(files []git.File) fileList {
	var list fileList
	for i, f := range files {
		list.Additions += f.Additions
		list.Deletions += f.Deletions
		if i >= shownFiles {
			list.Hidden++
			continue
		}
		d := fileDiff{File: f, Anchor: fmt.Sprintf("file-%d", i+1), Lines: diffLines(f.Patch)}
		if over := len(d.Lines) - shownLines; over > 0 {
			d.Lines, d.Cut = d.Lines[:shownLines], over
		}
		d.Closed = len(d.Lines) > openLines || i >= 40
		list.Files = append(list.Files, d)
	}
	return list
}

// diffLines numbers the lines of a patch in unified format, which begins with a hunk's head.
func diffLines(patch string) []line {
	if patch == "" {
		return nil
	}
	var out []line
	var before, after int
	for text := range strings.SplitSeq(patch, "\n") {
		mark, rest := " ", ""
		if text != "" {
			mark, rest = text[:1], text[1:]
		}
		switch mark {
		case "@":
			before, after = hunkStart(text, "-"), hunkStart(text, "+")
			out = append(out, line{Kind: "hunk", Text: text})
		case "+":
			out = append(out, line{Kind: "add", New: strconv.Itoa(after), Text: rest})
			after++
		case "-":
			out = append(out, line{Kind: "del", Old: strconv.Itoa(before), Text: rest})
			before++
		case "\\":
			out = append(out, line{Kind: "note", Text: text})
		default:
			out = append(out, line{Kind: "same", Old: strconv.Itoa(before), New: strconv.Itoa(after), Text: rest})
			before++
			after++
		}
	}
	return out
}

// hunkStart is where a hunk "@@ -a,b +c,d @@" begins on one side.
func hunkStart(head, side string) int {
	_, rest, _ := strings.Cut(head, " "+side)
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0 // unreachable unless git's format changes; the numbers are only shown
	}
	return n
}

type commitPage struct {
	Repo state.Repo
	commitRow
	Files fileList
}

func commit(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	sha, err := v.Repos.Resolve(v.r.Context(), r.FullName(), v.r.PathValue("sha"))
	if err != nil {
		return err
	}
	commits, err := v.Repos.Commits(v.r.Context(), r.FullName(), []string{sha})
	if err != nil {
		return err
	}
	parent := ""
	if len(commits[0].Parents) > 0 {
		parent = commits[0].Parents[0]
	}
	files, err := v.Repos.Files(v.r.Context(), r.FullName(), parent, sha)
	if err != nil {
		return err
	}
	row, err := v.commitRow(r.FullName(), commits[0])
	if err != nil {
		return err
	}
	return v.show("commit", row.Subject(), http.StatusOK, commitPage{Repo: r, commitRow: row, Files: showFiles(files)})
}

// run leads from a check run's html_url to its place on its commit's page.
func run(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return state.NotFound()
	}
	x, err := v.Store.Run(r.FullName(), id)
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, fmt.Sprintf("/%s/commit/%s#check-%d", r.FullName(), x.HeadSHA, x.ID), http.StatusFound)
	return nil
}

type filePage struct {
	Repo    state.Repo
	Path    string
	SHA     string
	Size    int64
	HTML    template.HTML // a markdown file, drawn
	Text    string
	Binary  bool
	Entries []git.Entry
}

// shownFile is the largest file that a page shows.
const shownFile = 512 << 10

func file(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(v.r.PathValue("path"), "/")
	if name == "" || path.Clean(name) != name || strings.HasPrefix(name, "..") || strings.HasPrefix(name, "/") {
		return state.NotFound()
	}
	sha, err := v.Repos.Resolve(v.r.Context(), r.FullName(), v.r.PathValue("ref"))
	if err != nil {
		return err
	}
	f, entries, err := v.Repos.Find(v.r.Context(), r.FullName(), sha, name)
	if err != nil {
		return err
	}
	p := filePage{Repo: r, Path: name, SHA: sha, Entries: entries}
	if f == nil {
		if len(entries) == 0 {
			return state.NotFound()
		}
		return v.show("file", name, http.StatusOK, p)
	}
	p.Size = f.Size
	p.Binary = f.Size > shownFile || bytes.IndexByte(f.Content, 0) >= 0 || !utf8.Valid(f.Content)
	switch {
	case p.Binary:
	case strings.HasSuffix(name, ".md"):
		p.HTML = v.render(v.document, string(f.Content))
	default:
		p.Text = string(f.Content)
	}
	return v.show("file", name, http.StatusOK, p)
}
