package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// allowed refuses a change of one ref that the repository's rules keep from the actor.
func (g *Repos) allowed(ctx context.Context, a state.Actor, repo string, m Move) error {
	v, err := g.store.RefRules(a, repo, m.Ref, state.Push{Ref: m.Ref, Before: m.Before, After: m.After})
	if err != nil {
		return err
	}
	if v.Forward {
		base, err := g.MergeBase(ctx, repo, m.Before, m.After)
		if err != nil {
			return err
		}
		if base != m.Before {
			v.Violations = append(v.Violations, noForce)
		}
	}
	if len(v.Violations) == 0 {
		return nil
	}
	return state.Unprocessable("Repository rule violations found\n\n" + strings.Join(v.Violations, "\n\n") + "\n\n")
}

const noForce = "Cannot force-push to this branch"

// A fence is what the rules forbid a push.
type fence struct {
	file    string          // which the update hook reads; "": nothing is forbidden
	classic map[string]bool // refs on which branch protection has a word, which came before rules
}

// guard writes what the rules say to a push into a file. Each line holds a ref, what is forbidden ("judged": nothing, as
// far as this line goes), and the refusal. A ref without a line was never judged, and the hook refuses it.
func (g *Repos) guard(a state.Actor, repo string, list []command) (fence, error) {
	var lines strings.Builder
	forbids := false
	out := fence{classic: map[string]bool{}}
	for _, c := range list {
		if !ValidRef(c.ref) {
			continue // git refuses it
		}
		v, err := g.store.RefRules(a, repo, c.ref, state.Push{Ref: c.ref, Before: c.before, After: c.after})
		if err != nil {
			return fence{}, err
		}
		fmt.Fprintf(&lines, "%s\tjudged\t\t\n", c.ref)
		code := "GH013: Repository rule violations found for"
		if v.Classic {
			code = "GH006: Protected branch update failed for"
			out.classic[c.ref] = true
		}
		forbids = forbids || len(v.Violations) > 0 || v.Forward
		for _, text := range v.Violations {
			fmt.Fprintf(&lines, "%s\t%s\t%s\t%s\n", c.ref, "never", code, text)
		}
		if v.Forward {
			fmt.Fprintf(&lines, "%s\t%s\t%s\t%s\n", c.ref, "forward", code, noForce)
		}
	}
	if !forbids {
		return out, nil
	}
	f, err := g.scratchFile("rules-")
	if err != nil {
		return fence{}, fmt.Errorf("write the rules of a push: %w", err)
	}
	_, err = f.WriteString(lines.String())
	if err := errors.Join(err, f.Close()); err != nil {
		return fence{}, errors.Join(fmt.Errorf("write the rules of a push: %w", err), os.Remove(f.Name()))
	}
	out.file = f.Name()
	return out, nil
}

// ruleHook is an update hook in git's own protocol (githooks(5)): it sees one ref and refuses it alone, in GitHub's words.
// What it was not told of it refuses, too: a push that said more to git than the hub understood changes nothing.
const ruleHook = `#!/bin/sh
refused= judged=
say() {
	[ -n "$refused" ] || { echo "error: $1 $2." >&2; echo "" >&2; }
	refused=1
	echo "- $3" >&2
	echo "" >&2
}
tab=$(printf '\t')
while IFS="$tab" read -r ref when code text; do
	[ "$ref" = "$1" ] || continue
	judged=1
	case "$when" in
	never) say "$code" "$1" "$text" ;;
	forward) [ "$(git merge-base "$2" "$3" 2>/dev/null)" = "$2" ] || say "$code" "$1" "$text" ;;
	esac
done <"$LOCALHUB_RULES"
[ -n "$judged" ] && [ -z "$refused" ]
`

func (g *Repos) ruleHooks() (string, error) {
	dir := filepath.Join(g.dir, ".rules")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the rule hooks: %w", err)
	}
	file := filepath.Join(dir, "update")
	if old, err := os.ReadFile(file); err == nil && string(old) == ruleHook {
		return dir, nil
	}
	tmp, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return "", fmt.Errorf("make the rule hooks: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(ruleHook)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return "", fmt.Errorf("make the rule hooks: %w", err)
	}
	return dir, nil
}

// ownerFiles are where GitHub looks for code owners; the first one counts.
func ownerFiles() []string { return []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} }

// CodeOwners are the owners, as the base branch names them, of the files that a pull request changes: one entry for each
// distinct group.
func (g *Repos) CodeOwners(ctx context.Context, p *state.Pull) ([]state.Owners, error) {
	repo := p.Repo.FullName()
	base, err := g.Branch(ctx, repo, p.Base.Ref)
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var text string
	for _, name := range ownerFiles() {
		file, _, err := g.Find(ctx, repo, base, name)
		if err == nil && file != nil {
			text = string(file.Content)
			break
		}
		if err != nil && !errors.Is(err, ErrAbsent) {
			return nil, err
		}
	}
	if text == "" {
		return nil, nil
	}
	files, err := g.PullFiles(ctx, p)
	if err != nil {
		return nil, err
	}
	var out []state.Owners
	for _, f := range files {
		group := ownersOf(text, f.Path)
		if len(group) > 0 && !slices.ContainsFunc(out, func(o state.Owners) bool { return slices.Equal(o, group) }) {
			out = append(out, group)
		}
	}
	return out, nil
}

// ownersOf is the last line of a CODEOWNERS file that matches a path.
func ownersOf(text, path string) state.Owners {
	var out state.Owners
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 0 && ownerPattern(f[0], path) {
			out = state.Owners(f[1:])
		}
	}
	return out
}

// ownerPattern matches as gitignore(5) does, of which CODEOWNERS is a part.
func ownerPattern(pattern, path string) bool {
	anchored := strings.Contains(strings.TrimSuffix(pattern, "/"), "/")
	pattern = strings.TrimPrefix(pattern, "/")
	if !anchored {
		pattern = "**/" + pattern
	}
	if dir, ok := strings.CutSuffix(pattern, "/"); ok {
		return state.Fnmatch(dir+"/**/*", path)
	}
	if below, ok := strings.CutSuffix(pattern, "/**"); ok {
		return state.Fnmatch(below+"/**/*", path)
	}
	return state.Fnmatch(pattern, path) || (!strings.HasSuffix(pattern, "*") && state.Fnmatch(pattern+"/**/*", path))
}
