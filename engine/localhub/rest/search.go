package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// search is a query of GitHub's search syntax, as far as the hub reads it: repo, org, user, is, type, state, author,
// assignee, label, head, base, and words that title or body have.
type search struct {
	qualifiers map[string][]string
	words      []string
}

// known are the qualifiers that the hub reads; others are refused rather than passed over.
func known() []string {
	return []string{"repo", "org", "user", "is", "type", "state", "author", "assignee", "label", "head", "base"}
}

func parseSearch(text string) (search, error) {
	q := search{qualifiers: map[string][]string{}}
	quoted := false
	words := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	for _, word := range words {
		word = strings.ReplaceAll(word, `"`, "")
		name, value, isQualifier := strings.Cut(word, ":")
		switch {
		case !isQualifier:
			q.words = append(q.words, strings.ToLower(word))
		case !slices.Contains(known(), name):
			return q, state.Invalid(state.Problem{Resource: "Search", Field: "q", Code: "invalid", Message: "the hub does not search by " + name})
		default:
			q.qualifiers[name] = append(q.qualifiers[name], value)
		}
	}
	return q, nil
}

func (q search) every(name string, fits func(value string) bool) bool {
	for _, v := range q.qualifiers[name] {
		if !fits(v) {
			return false
		}
	}
	return true
}

func (q search) takes(t state.Thread) bool {
	x := fieldsOf(t)
	isPull := t.Pull != nil
	kind := func(v string) bool {
		switch v {
		case "pr", "pull-request":
			return isPull
		case "issue":
			return !isPull
		case "merged":
			return isPull && t.Pull.Merged
		case "unmerged":
			return isPull && !t.Pull.Merged
		case "draft":
			return isPull && t.Pull.Draft
		}
		return x.State == v
	}
	has := func(v string) bool {
		return slices.ContainsFunc(x.Labels, func(l state.Label) bool { return strings.EqualFold(l.Name, v) })
	}
	assigned := func(v string) bool {
		return slices.ContainsFunc(x.Assignees, func(u state.User) bool { return strings.EqualFold(u.Login, v) })
	}
	author := func(v string) bool {
		return strings.EqualFold(x.Author.Login, v) || strings.EqualFold(x.Author.Login, strings.TrimPrefix(v, "app/")+"[bot]")
	}
	says := func() bool {
		if len(q.words) == 0 {
			return true
		}
		text := strings.ToLower(x.Title + "\n" + x.Body)
		return !slices.ContainsFunc(q.words, func(w string) bool { return !strings.Contains(text, w) })
	}
	return q.every("is", kind) && q.every("type", kind) && q.every("state", kind) && q.every("label", has) && q.every("assignee", assigned) &&
		q.every("author", author) &&
		q.every("head", func(v string) bool { return isPull && strings.HasPrefix(t.Pull.Head.Ref, v) }) &&
		q.every("base", func(v string) bool { return isPull && t.Pull.Base.Ref == v }) && says()
}

// found is a thread with its repository.
type found struct {
	repo   state.Repo
	thread state.Thread
}

// maxFound is how many results GitHub's search gives.
const maxFound = 1000

// mayRead says whether a repository that the caller sees shows them what the permission is for: an App needs it.
func (c *call) mayRead(r state.Repo, permission string) bool {
	_, err := c.Store.Check(c.actor, r.FullName(), state.Need{App: []string{permission}, Role: state.Read})
	return err == nil
}

func searchIssues(c *call) (reply, error) {
	text := c.query("q")
	if strings.TrimSpace(text) == "" {
		return reply{}, state.Invalid(state.Problem{Resource: "Search", Field: "q", Code: "missing"})
	}
	q, err := parseSearch(text)
	if err != nil {
		return reply{}, err
	}
	var all []found
	for _, r := range c.Store.Repos(c.actor) {
		owner := func(v string) bool { return strings.EqualFold(v, r.Owner.Login) }
		repos := q.qualifiers["repo"]
		named := slices.ContainsFunc(repos, func(v string) bool { return strings.EqualFold(v, r.FullName()) })
		if (len(repos) > 0 && !named) || !q.every("org", owner) || !q.every("user", owner) {
			continue
		}
		list, err := c.Store.Threads(r.FullName())
		if err != nil {
			return reply{}, err
		}
		issues, pulls := c.mayRead(r, issuesRead), c.mayRead(r, pullsRead)
		for _, t := range slices.Backward(list) {
			if (t.Pull != nil && pulls || t.Pull == nil && issues) && q.takes(t) {
				all = append(all, found{r, t})
			}
		}
	}
	some, link := page(c, all[:min(len(all), maxFound)])
	items := wire.List(some, func(f found) wire.Object {
		o := c.host.Thread(f.repo, f.thread)
		o["score"] = 1.0
		if fieldsOf(f.thread).Body == "" {
			o["body"] = "" // null elsewhere; GitHub's description has no null in a search
		}
		return o
	})
	return reply{status: http.StatusOK, link: link, body: wire.Object{"total_count": len(all), "incomplete_results": false, "search_type": "lexical", "items": items}}, nil
}
