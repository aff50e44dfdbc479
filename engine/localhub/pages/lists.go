package pages

import (
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

type homeRow struct {
	state.Repo
	Open int
}

func home(v *visit) error {
	var rows []homeRow
	for _, r := range v.Store.Repos(v.actor) {
		open, err := v.Store.Pulls(r.FullName(), state.PullFilter{})
		if err != nil {
			return err
		}
		rows = append(rows, homeRow{r, len(open)})
	}
	return v.show("home", "Repositories", http.StatusOK, rows)
}

func toPulls(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/"+r.FullName()+"/pulls", http.StatusFound)
	return nil
}

// repo is the repository of the path, if the viewer may see it.
func (v *visit) repo() (state.Repo, error) {
	return v.Store.Check(v.actor, v.r.PathValue("owner")+"/"+v.r.PathValue("repo"), state.Need{Role: state.Read})
}

type pullsPage struct {
	Repo         state.Repo
	State        string
	Open, Closed int
	Pulls        []*state.Pull
	More         int
	Clone        string
}

// shownPulls is how many pull requests the list shows.
const shownPulls = 200

func pulls(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	all, err := v.Store.Pulls(r.FullName(), state.PullFilter{State: "all"})
	if err != nil {
		return err
	}
	p := pullsPage{Repo: r, State: "open", Clone: v.actor.Base + "/" + r.FullName() + ".git"}
	if v.r.URL.Query().Get("state") == "closed" {
		p.State = "closed"
	}
	for _, x := range all {
		if x.Open() {
			p.Open++
		} else {
			p.Closed++
		}
		switch {
		case x.State != p.State:
		case len(p.Pulls) < shownPulls:
			p.Pulls = append(p.Pulls, x)
		default:
			p.More++
		}
	}
	return v.show("pulls", "Pull requests of "+r.FullName(), http.StatusOK, p)
}
