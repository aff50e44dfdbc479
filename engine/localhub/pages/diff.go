package pages

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
)

// fileList is a diff as a page shows it.
type fileList struct {
	Files                []fileDiff
	Additions, Deletions int
	Hidden               int // files beyond what one page shows
}

type fileDiff struct {
	git.File
	Anchor string // as on GitHub: a digest of the path
	View   string // address of the file's page; empty for a removed file
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
	shownLines = 1500  // of one file
	allLines   = 10000 // of all files
	openLines  = 400   // files longer than this start folded
	openFiles  = 20    // and so do files after that many
)

// showFiles prepares the diff whose new side is the commit to.
func showFiles(files []git.File, repo, to string) fileList {
	var list fileList
	room := allLines
	for i, f := range files {
		list.Additions += f.Additions
		list.Deletions += f.Deletions
		if i >= shownFiles {
			list.Hidden++
			continue
		}
		d := fileDiff{File: f, Anchor: fmt.Sprintf("diff-%x", sha256.Sum256([]byte(f.Path))), Lines: diffLines(f.Patch)}
		if f.Status != "removed" {
			d.View = fmt.Sprintf("/%s/blob/%s/%s", repo, to, escapePath(f.Path))
		}
		if over := len(d.Lines) - min(shownLines, room); over > 0 {
			d.Lines, d.Cut = d.Lines[:len(d.Lines)-over], over
		}
		room -= len(d.Lines)
		d.Closed = len(d.Lines) > openLines || i >= openFiles
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
