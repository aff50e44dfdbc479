package pages

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// form finds the pull request that a form is about, for a viewer who is somebody.
func (v *visit) form() (*state.Pull, error) {
	p, err := v.pull()
	if err != nil {
		return nil, err
	}
	if v.actor.Anonymous() {
		return nil, &state.Refusal{Status: http.StatusUnauthorized, Message: "Choose who you are first."}
	}
	return p, nil
}

// text is a field as REST would have it: browsers send line ends as CRLF.
func (v *visit) text(field string) string {
	return strings.TrimSpace(strings.ReplaceAll(v.r.PostFormValue(field), "\r\n", "\n"))
}

func (v *visit) back(p *state.Pull, anchor string) error {
	http.Redirect(v.w, v.r, fmt.Sprintf("/%s/pull/%d#%s", p.Repo.FullName(), p.Number, anchor), http.StatusSeeOther)
	return nil
}

func postComment(v *visit) error {
	p, err := v.form()
	if err != nil {
		return err
	}
	c, err := v.Store.AddComment(v.actor, p.Repo.FullName(), p.Number, v.text("body"))
	if err != nil {
		return err
	}
	return v.back(p, fmt.Sprintf("issuecomment-%d", c.ID))
}

// postReview reviews the commit that the person had on the page, which may no longer be the head.
func postReview(v *visit) error {
	p, err := v.form()
	if err != nil {
		return err
	}
	commit := v.r.PostFormValue("commit")
	mine, err := v.Repos.Holds(v.r.Context(), p, commit)
	if err != nil {
		return err
	}
	if !mine {
		return state.Unprocessable("The commit that you reviewed is no longer part of the pull request. Reload the page and look again.")
	}
	r, err := v.Store.CreateReview(v.actor, p.Repo.FullName(), p.Number, state.NewReview{
		Event: v.r.PostFormValue("event"), Body: v.text("body"), CommitID: commit,
	})
	if err != nil {
		return err
	}
	return v.back(p, fmt.Sprintf("pullrequestreview-%d", r.ID))
}

func postMerge(v *visit) error {
	p, err := v.form()
	if err != nil {
		return err
	}
	if _, err := v.Store.Check(v.actor, p.Repo.FullName(), state.Need{Role: state.Write}); err != nil {
		return err
	}
	_, err = v.Repos.Merge(v.r.Context(), v.actor, p.Repo.FullName(), p.Number, git.Merging{
		SHA: v.r.PostFormValue("commit"), Method: v.r.PostFormValue("method"),
	})
	if err != nil {
		return err
	}
	return v.back(p, "merge")
}

// postState closes a pull request, or opens it again.
func postState(v *visit) error {
	p, err := v.form()
	if err != nil {
		return err
	}
	next := v.r.PostFormValue("state")
	if _, err := v.Repos.EditPull(v.r.Context(), v.actor, p.Repo.FullName(), p.Number, state.PullEdit{State: &next}); err != nil {
		return err
	}
	return v.back(p, "merge")
}

// postPress presses a button of a check run, or asks for the run once more. Its App is told, and decides.
func postPress(v *visit) error {
	r, err := v.Store.Check(v.actor, v.r.PathValue("owner")+"/"+v.r.PathValue("repo"), state.Need{Role: state.Write})
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return state.NotFound()
	}
	if identifier := v.r.PostFormValue("button"); identifier != "" {
		err = v.Store.PressButton(v.actor, r.FullName(), id, identifier)
	} else {
		err = v.Store.RerequestRun(v.actor, r.FullName(), id)
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, ownPath(v.r.PostFormValue("return")), http.StatusSeeOther)
	return nil
}
