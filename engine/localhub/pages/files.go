package pages

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

type filePage struct {
	Repo     state.Repo
	Ref      string // branch, tag or commit as the address has it
	SHA      string
	Path     string
	Crumbs   []crumb // the directories above
	Size     int64
	HTML     template.HTML // a markdown file, drawn
	Lines    []string
	Binary   bool
	Entries  []entry // of a directory
	Branches []string
}

// crumb is a directory above a file; Path is from the root.
type crumb struct{ Name, Path string }

// entry is one name in a directory.
type entry struct {
	Name, Path string
	Directory  bool
	Size       int64
}

// What a file's page shows at most: bytes of a file, and branches to choose from.
const (
	shownFile     = 512 << 10
	shownBranches = 50
)

func file(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	p := filePage{Repo: r}
	if err := v.place(&p, v.r.PathValue("place")); err != nil {
		return err
	}
	refs, err := v.Repos.Refs(v.r.Context(), r.FullName(), "refs/heads/")
	if err != nil {
		return err
	}
	for _, ref := range refs[:min(len(refs), shownBranches)] {
		p.Branches = append(p.Branches, strings.TrimPrefix(ref.Name, "refs/heads/"))
	}
	f, entries, err := v.Repos.Find(v.r.Context(), r.FullName(), p.SHA, p.Path)
	if err != nil {
		return err
	}
	title := path.Join(r.Name, p.Path)
	if f == nil {
		p.Entries = directory(entries)
		return v.show("file", title, http.StatusOK, p)
	}
	p.Size = f.Size
	p.Binary = f.Size > shownFile || bytes.IndexByte(f.Content, 0) >= 0 || !utf8.Valid(f.Content)
	switch {
	case p.Binary:
	case strings.HasSuffix(p.Path, ".md"):
		p.HTML = v.render(v.document, string(f.Content))
	default:
		p.Lines = strings.Split(strings.TrimSuffix(string(f.Content), "\n"), "\n")
	}
	return v.show("file", title, http.StatusOK, p)
}

// place reads "ref/path". A ref may have slashes itself; no branch is named as a directory of another, so the first that
// there is, is the one.
func (v *visit) place(p *filePage, place string) error {
	place = strings.TrimSuffix(place, "/")
	if place == "" || path.Clean("/"+place) != "/"+place {
		return state.NotFound()
	}
	parts := strings.Split(place, "/")
	const deepest = 10 // parts of a ref's name; each costs a look
	for n := 1; n <= min(len(parts), deepest); n++ {
		ref := strings.Join(parts[:n], "/")
		sha, err := v.Repos.Resolve(v.r.Context(), p.Repo.FullName(), ref)
		if errors.Is(err, git.ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		p.Ref, p.SHA, p.Path = ref, sha, strings.Join(parts[n:], "/")
		for i := n; i < len(parts)-1; i++ {
			p.Crumbs = append(p.Crumbs, crumb{parts[i], strings.Join(parts[n:i+1], "/")})
		}
		return nil
	}
	return state.NotFound()
}

// directory lists directories before files.
func directory(found []git.Entry) []entry {
	var dirs, files []entry
	for _, e := range found {
		x := entry{Name: path.Base(e.Path), Path: e.Path, Directory: e.Type == "tree", Size: e.Size}
		if x.Directory {
			dirs = append(dirs, x)
		} else {
			files = append(files, x)
		}
	}
	return append(dirs, files...)
}

// escapePath makes a path part of an address; slashes stay.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

func size(bytes int64) string {
	switch {
	case bytes == 1:
		return "1 byte"
	case bytes < 1024:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/1024)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
