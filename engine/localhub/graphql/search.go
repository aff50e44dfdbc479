package graphql

import (
	"context"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// searchPage is GitHub's SearchResultItemConnection.
type searchPage struct {
	Edges                                  *[]*edge[object]
	Nodes                                  *[]*object
	PageInfo                               pageInfo
	IssueCount, RepositoryCount, UserCount int32
}

// maxResults is how far GitHub's search looks.
const maxResults = 1000

// Search finds pull requests (type ISSUE and ISSUE_ADVANCED), repositories and people by words and the qualifiers that
// gh writes.
func (*query) Search(ctx context.Context, args struct {
	slice
	Query string
	Type  string
}) (*searchPage, error) {
	s := sessionOf(ctx)
	f := parseSearch(args.Query, s.actor.User.Login)
	list := listing[any]{field: "search"}
	switch args.Type {
	case "REPOSITORY":
		for _, r := range s.store().Repos(s.actor) {
			if f.wantsRepo(r) && f.matches(r.Name+" "+r.Description) {
				list.items = append(list.items, s.repositoryNode(r))
			}
		}
	case "USER":
		for _, u := range s.store().People() {
			if f.matches(u.Login + " " + u.Name) {
				list.items = append(list.items, s.userNode(u))
			}
		}
	case "DISCUSSION": // there are none
	default:
		found, err := s.searchPulls(f)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			list.items = append(list.items, p)
		}
	}
	total := int32(len(list.items))
	list.items = list.items[:min(len(list.items), maxResults)]
	c, err := paginate(ctx, args.slice, list, func(found any) *object {
		if p, ok := found.(*state.Pull); ok {
			found = s.pullNode(p)
		}
		return &object{found}
	})
	if err != nil {
		return nil, err
	}
	out := &searchPage{Edges: c.Edges, Nodes: c.Nodes, PageInfo: c.PageInfo}
	switch args.Type {
	case "REPOSITORY":
		out.RepositoryCount = total
	case "USER":
		out.UserCount = total
	default:
		out.IssueCount = total
	}
	return out, nil
}

// search is a parsed search: words that must all occur, and qualifiers with their values.
type search struct {
	words      []string
	qualifiers map[string][]string
	not        map[string][]string
}

// parseSearch reads GitHub's search syntax as far as gh writes it: words, "quoted words", key:value, -key:value.
func parseSearch(text, me string) search {
	f := search{qualifiers: map[string][]string{}, not: map[string][]string{}}
	for _, token := range tokens(text) {
		key, value, ok := strings.Cut(token, ":")
		if !ok || value == "" || strings.ContainsFunc(key, unicode.IsSpace) {
			f.words = append(f.words, strings.Trim(token, `"`))
			continue
		}
		value = strings.Trim(value, `"`)
		if value == "@me" {
			value = me
		}
		into := f.qualifiers
		if rest, negated := strings.CutPrefix(key, "-"); negated {
			key, into = rest, f.not
		}
		into[strings.ToLower(key)] = append(into[strings.ToLower(key)], value)
	}
	return f
}

// tokens splits at spaces outside quotes.
func tokens(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(r)
	})
}

func (f search) matches(text string) bool {
	return !slices.ContainsFunc(f.words, func(w string) bool { return !contains(text, w) })
}

func (f search) wantsRepo(r state.Repo) bool {
	full := strings.ToLower(r.FullName())
	in := func(values []string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.ToLower(v) == full })
	}
	owners := slices.Concat(f.qualifiers["org"], f.qualifiers["user"])
	return (len(f.qualifiers["repo"]) == 0 || in(f.qualifiers["repo"])) && !in(f.not["repo"]) &&
		(len(owners) == 0 || anyOf(owners, []string{r.Owner.Login}))
}

func (s *session) searchPulls(f search) ([]*state.Pull, error) {
	if slices.Contains(f.qualifiers["is"], "issue") || slices.Contains(f.qualifiers["type"], "issue") {
		return nil, nil
	}
	var found []*state.Pull
	for _, r := range s.store().Repos(s.actor) {
		if !f.wantsRepo(r) || s.repositoryNode(r).may(pullsRead) != nil {
			continue
		}
		all, err := s.store().Pulls(r.FullName(), f.pulls())
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if f.wantsPull(p) {
				found = append(found, p)
			}
		}
	}
	f.order(found)
	return found, nil
}

// pulls narrows what has to be looked at.
func (f search) pulls() state.PullFilter {
	out := state.PullFilter{State: "all"}
	if slices.Contains(f.qualifiers["is"], "open") || slices.Contains(f.qualifiers["state"], "open") {
		out.State = "open"
	}
	if heads := f.qualifiers["head"]; len(heads) == 1 {
		out.Head = heads[0]
	}
	return out
}

// order sorts by what "sort:" says; newest first otherwise.
func (f search) order(found []*state.Pull) {
	by := "created-desc"
	if values := f.qualifiers["sort"]; len(values) > 0 {
		by = values[0]
	}
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if strings.HasSuffix(by, "-asc") {
			a, b = b, a
		}
		switch {
		case strings.HasPrefix(by, "updated"):
			return a.Updated.After(b.Updated)
		case strings.HasPrefix(by, "comments"):
			return a.Comments > b.Comments
		default:
			return a.Created.After(b.Created) || (a.Created.Equal(b.Created) && a.ID > b.ID)
		}
	})
}

// wantsPull checks every qualifier. One that the hub does not know selects nothing, so that a filter never widens.
func (f search) wantsPull(p *state.Pull) bool {
	for key, values := range f.qualifiers {
		for _, v := range values {
			if !satisfies(p, key, v) {
				return false
			}
		}
	}
	for key, values := range f.not {
		for _, v := range values {
			if key != "repo" && satisfies(p, key, v) {
				return false
			}
		}
	}
	return len(f.words) == 0 || f.matches(p.Title+"\n"+p.Body)
}

func satisfies(p *state.Pull, key, value string) bool {
	named := func(users []state.User) bool {
		return slices.ContainsFunc(users, func(u state.User) bool { return strings.EqualFold(u.Login, value) })
	}
	switch key {
	case "repo", "org", "user", "sort":
		return true
	case "is", "state", "type", "draft":
		return is(p, key, strings.ToLower(value))
	case "author":
		login := strings.TrimPrefix(value, "app/")
		return strings.EqualFold(p.Author.Login, login) || strings.EqualFold(p.Author.Login, login+"[bot]")
	case "assignee":
		return named(p.Assignees)
	case "review-requested", "user-review-requested":
		return named(p.Reviewers) || (key == "review-requested" && slices.ContainsFunc(p.ReviewTeams, func(t state.Team) bool {
			return anyOf(t.Members, []string{value})
		}))
	case "head":
		return p.Head.Ref == value
	case "base":
		return strings.EqualFold(p.Base.Ref, value)
	case "label":
		return slices.ContainsFunc(p.Labels, func(l state.Label) bool { return anyOf(strings.Split(value, ","), []string{l.Name}) })
	case "sha", "hash":
		return len(value) >= 7 && strings.HasPrefix(p.Head.SHA, strings.ToLower(value))
	default:
		return false
	}
}

func is(p *state.Pull, key, value string) bool {
	switch value {
	case "pr", "pull-request":
		return key == "is" || key == "type"
	case "open", "closed":
		return p.State == value
	case "merged":
		return p.Merged
	case "unmerged":
		return !p.Merged
	case "draft", "true":
		return p.Draft
	case "false":
		return !p.Draft
	case "private", "public":
		return p.Repo.Private == (value == "private")
	default:
		return false
	}
}
