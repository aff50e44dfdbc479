package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

type homePage struct {
	Repos []homeRow
	Apps  []state.App
}

type homeRow struct {
	state.Repo
	Open int
}

func home(v *visit) error {
	p := homePage{Apps: v.Store.ManagedApps(v.actor.User)}
	for _, r := range v.Store.Repos(v.actor) {
		open, _, err := v.Store.PullCounts(r.FullName())
		if err != nil {
			return err
		}
		p.Repos = append(p.Repos, homeRow{r, open})
	}
	return v.show("home", "Repositories", http.StatusOK, p)
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
	Filter       filter
	Open, Closed int // without regard to the filter
	Found        int
	Pulls        []*state.Pull
	Authors      []string // of what is shown, to choose from
	Labels       []string
	Clone        string
	Newer, Older string // addresses of the neighbouring parts of the list; empty: none
}

// filter is what the list's address asks for.
type filter struct {
	State, Author, Label, Text string
	Page                       int // from 1
}

// shownPulls is how many pull requests one page of the list shows.
const shownPulls = 50

// readFilter takes unknown states and pages for the first.
func readFilter(q url.Values) filter {
	field := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	f := filter{State: field("state"), Author: field("author"), Label: field("label"), Text: field("q"), Page: 1}
	if !slices.Contains([]string{"open", "closed", "merged", "all"}, f.State) {
		f.State = "open"
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 && n < 1<<20 {
		f.Page = n
	}
	return f
}

// Active says that more than the state is asked for.
func (f filter) Active() bool { return f.Author+f.Label+f.Text != "" }

// With is the address of the same list in another state.
func (f filter) With(s string) string {
	f.State, f.Page = s, 1
	return f.address()
}

func (f filter) at(page int) string {
	f.Page = page
	return f.address()
}

func (f filter) address() string {
	q := url.Values{"state": {f.State}}
	for name, value := range map[string]string{"author": f.Author, "label": f.Label, "q": f.Text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Page > 1 {
		q.Set("page", strconv.Itoa(f.Page))
	}
	return "?" + q.Encode()
}

func pulls(v *visit) error {
	r, err := v.repo()
	if err != nil {
		return err
	}
	f := readFilter(v.r.URL.Query())
	p := pullsPage{Repo: r, Filter: f, Clone: v.actor.Base + "/" + r.FullName() + ".git"}
	if p.Open, p.Closed, err = v.Store.PullCounts(r.FullName()); err != nil {
		return err
	}
	window := state.Window{Offset: (f.Page - 1) * shownPulls, Limit: shownPulls}
	p.Pulls, p.Found, err = v.Store.PullsIn(r.FullName(), state.PullFilter{State: f.State, Author: f.Author, Label: f.Label, Text: f.Text}, window)
	if err != nil {
		return err
	}
	if f.Page > 1 {
		p.Newer = f.at(f.Page - 1)
	}
	if window.Offset+len(p.Pulls) < p.Found {
		p.Older = f.at(f.Page + 1)
	}
	for _, x := range p.Pulls {
		p.Authors = append(p.Authors, x.Author.Login)
		for _, l := range x.Labels {
			p.Labels = append(p.Labels, l.Name)
		}
	}
	slices.Sort(p.Authors)
	slices.Sort(p.Labels)
	p.Authors, p.Labels = slices.Compact(p.Authors), slices.Compact(p.Labels)
	return v.show("pulls", "Pull requests of "+r.FullName(), http.StatusOK, p)
}
