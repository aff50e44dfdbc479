package git

import (
	"context"
	"fmt"
)

// Diff compares two commits, or an empty tree (from "") with one, as git prints it: the media type "diff".
func (g *Repos) Diff(ctx context.Context, repo, from, to string) ([]byte, error) {
	if from == "" {
		from = emptyTree
	}
	out, err := g.git(ctx, repo, "diff", "--no-color", "--no-ext-diff", "-M", "--end-of-options", from, to, "--")
	if err != nil {
		return nil, fmt.Errorf("print what differs in %s: %w", repo, err)
	}
	return out, nil
}

// Patch prints the commits of one that another has not (from "" has none) as mail that git am takes, oldest first: the
// media type "patch".
func (g *Repos) Patch(ctx context.Context, repo, from, to string) ([]byte, error) {
	span := []string{from + ".." + to}
	if from == "" {
		span = []string{"--root", to}
	}
	out, err := g.git(ctx, repo, append([]string{"format-patch", "--stdout", "--no-color", "--no-ext-diff", "-M"}, span...)...)
	if err != nil {
		return nil, fmt.Errorf("print the commits of %s as patches: %w", repo, err)
	}
	return out, nil
}
