package rest

import (
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// getReadme answers with the README of the root, as GET /contents would.
func getReadme(c *call) (reply, error) {
	ref := c.query("ref")
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	commit, err := c.Repos.Resolve(c.r.Context(), c.name(), ref)
	if err != nil {
		return reply{}, err
	}
	_, entries, err := c.Repos.Find(c.r.Context(), c.name(), commit, "")
	if err != nil {
		return reply{}, err
	}
	for _, e := range entries {
		if name := strings.ToLower(e.Path); e.Type == "blob" && (name == "readme.md" || name == "readme" || name == "readme.txt") {
			c.params["path"] = e.Path
			return getContents(c)
		}
	}
	return reply{}, state.NotFound()
}
