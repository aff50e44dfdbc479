package gitstore

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// Bounds on a path. GitHub advises at most 50 levels; file systems take names
// of at most 255 bytes.
const (
	maxPathBytes = 4096
	maxPathDepth = 50
	maxNameBytes = 255
)

// checkPath refuses any path that is not relative and clean, or that some
// file system would take for git's own directory.
func checkPath(path string) error {
	if path == "" || len(path) > maxPathBytes {
		return fmt.Errorf("path %q: want 1 to %d bytes", clip(path), maxPathBytes)
	}
	names := strings.Split(path, "/")
	if len(names) > maxPathDepth {
		return fmt.Errorf("path %q: more than %d levels", clip(path), maxPathDepth)
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return fmt.Errorf("path %q: %w", clip(path), err)
		}
	}
	return nil
}

// checkName refuses a path component that could leave its directory or reach
// .git on any system: NTFS drops trailing dots and spaces, knows short names
// (git~1) and streams (:), HFS+ drops invisible characters. Git's own rules
// are in verify_path and in fsck (read-cache.c, fsck.c).
func checkName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("component %q: want 1 to %d bytes", clip(name), maxNameBytes)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("component %q: not UTF-8", name)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) || strings.ContainsRune(`/\:`, r) {
			return fmt.Errorf("component %q: character %q is not allowed", name, r)
		}
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return fmt.Errorf("component %q: ends with a dot or a space", name)
	}
	if reservedName(name) {
		return fmt.Errorf("component %q: reserved by git", name)
	}
	return nil
}

// reservedName tells whether git gives the name a meaning of its own.
func reservedName(name string) bool {
	lower := strings.ToLower(name)
	switch lower {
	case ".git", ".gitmodules", ".gitattributes":
		return true
	}
	return strings.HasPrefix(lower, "git~")
}

// checkPrefix takes "" (everything) or a path without a trailing slash.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return checkPath(prefix)
}

// refName gives the full name of a branch, or of the lease, checked as git check-ref-format
// does, in UTF-8, and never longer than what file systems take for a lock.
func refName(branch string) (plumbing.ReferenceName, error) {
	const most = 240
	if branch == leaseRef {
		return leaseRef, nil
	}
	name := plumbing.NewBranchReferenceName(branch)
	if len(branch) > most || !utf8.ValidString(branch) || branch == "HEAD" {
		return "", fmt.Errorf("branch %q: not a usable name", clip(branch))
	}
	for _, r := range branch {
		if !unicode.IsGraphic(r) {
			return "", fmt.Errorf("branch %q: character %q is not allowed", clip(branch), r)
		}
	}
	if err := name.Validate(); err != nil {
		return "", fmt.Errorf("branch %q: %w", clip(branch), err)
	}
	return name, nil
}
