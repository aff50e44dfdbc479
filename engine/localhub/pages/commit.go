package pages

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

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
	return v.show("commit", row.Subject(), http.StatusOK, commitPage{Repo: r, commitRow: row, Files: showFiles(files, r.FullName(), sha)})
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
