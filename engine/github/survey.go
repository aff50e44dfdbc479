package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/proposal"
)

// maxSurveyed is of how many reviews, comments and members a survey has each one. Of more it says that it does not know.
const maxSurveyed = 100

// SurveyQuestion says what to look over.
type SurveyQuestion struct {
	Prefix string   // of the branches whose pull requests are looked over, such as "incident/"
	File   string   // of the default branch
	Teams  []string // org/slug
}

// Survey is what the hub shows of all open pull requests at one moment. Its digests are equal while nothing that counts has
// changed; an empty one says that the survey does not have everything.
type Survey struct {
	DefaultBranch string
	File          string            // git's id of the file; empty: it is not there
	Talk          map[string]string // by branch: digest of what people did on its pull request
	Members       map[string]string // by team
	Proposals     []proposal.Pull   // the open pull requests to the default branch, those of branches with the prefix included, and those to such branches
	Whole         bool              // Proposals has all of them
}

// Survey looks over all open pull requests with one question for each hundred branches. It does not read what people
// wrote: a text is known by its id and the time of its last edit.
func (c *Client) Survey(ctx context.Context, ask SurveyQuestion) (Survey, error) {
	out := Survey{Talk: map[string]string{}, Members: map[string]string{}}
	after := ""
	for range maxPages {
		var got surveyAnswer
		q, teams := c.surveyQuestion(ask, after)
		if err := c.graph(ctx, "look over the open pull requests", q, &got); err != nil {
			return Survey{}, err
		}
		if got.Repository == nil || got.Repository.DefaultBranchRef == nil {
			return Survey{}, &Error{Op: "look over the open pull requests", Message: "the hub does not show the repository, or it is empty"}
		}
		got.Repository.addTo(&out, ask, teams)
		page := got.Repository.Refs.PageInfo
		if !page.HasNextPage {
			return out, nil
		}
		after = page.EndCursor
	}
	return Survey{}, &Error{Op: "look over the open pull requests", Message: errPages.Error()}
}

type surveyAnswer struct {
	Repository *surveyed `json:"repository"`
}

// surveyed is the answer about the repository.
type surveyed struct {
	DefaultBranchRef *struct {
		Name string `json:"name"`
	} `json:"defaultBranchRef"`
	Object *struct {
		OID string `json:"oid"`
	} `json:"object"`
	Oldest proposalList `json:"oldest"`
	Newest proposalList `json:"newest"`
	Refs   struct {
		PageInfo struct {
			HasNextPage bool   `json:"hasNextPage"`
			EndCursor   string `json:"endCursor"`
		} `json:"pageInfo"`
		Nodes []struct {
			Name  string `json:"name"`
			Pulls struct {
				Nodes []pullTalk `json:"nodes"`
			} `json:"associatedPullRequests"`
		} `json:"nodes"`
	} `json:"refs"`
	Owner map[string]*struct {
		Members counted[struct {
			ID int64 `json:"databaseId"`
		}] `json:"members"`
	} `json:"owner"`
}

type proposalList struct {
	Total int `json:"totalCount"`
	Nodes []struct {
		Number int    `json:"number"`
		Base   string `json:"baseRefName"`
		Branch string `json:"headRefName"`
		Head   string `json:"headRefOid"`
		Fork   bool   `json:"isCrossRepository"`
	} `json:"nodes"`
}

// counted is the first page of a list.
type counted[T any] struct {
	Total int `json:"totalCount"`
	Nodes []T `json:"nodes"`
}

func (c counted[T]) cut() bool { return c.Total != len(c.Nodes) }

// pullTalk is what people did on a pull request, and what they are shown.
type pullTalk struct {
	Number    int    `json:"number"`
	Base      string `json:"baseRefName"`
	Head      string `json:"headRefOid"`
	Updated   string `json:"updatedAt"`
	Edited    string `json:"lastEditedAt"`
	Labels    counted[struct{ Name string }]
	Assignees counted[struct{ Login string }]
	Requests  counted[struct {
		Who struct{ Login, Slug string } `json:"requestedReviewer"`
	}] `json:"reviewRequests"`
	Reviews  counted[spokenText]
	Comments counted[spokenText]
}

// spokenText is a review or a comment.
type spokenText struct {
	ID      string `json:"id"`
	Edited  string `json:"lastEditedAt"`
	Updated string `json:"updatedAt"`
	State   string `json:"state"`
	MayPush bool   `json:"authorCanPushToRepository"`
	Author  struct{ Login string }
	Commit  struct {
		OID string `json:"oid"`
	}
}

func (p pullTalk) cut() bool {
	return p.Labels.cut() || p.Assignees.cut() || p.Requests.cut() || p.Reviews.cut() || p.Comments.cut()
}

func digestOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // unreachable: what was decoded from JSON can be encoded
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (r *surveyed) addTo(out *Survey, ask SurveyQuestion, teams []string) {
	out.DefaultBranch = r.DefaultBranchRef.Name
	if r.Object != nil {
		out.File = r.Object.OID
	}
	for _, n := range r.Refs.Nodes {
		talk := ""
		for _, p := range n.Pulls.Nodes {
			if p.Base == out.DefaultBranch && !p.cut() {
				talk = digestOf(p)
			}
		}
		out.Talk[ask.Prefix+strings.TrimPrefix(n.Name, ask.Prefix)] = talk
	}
	for i, team := range teams {
		out.Members[team] = ""
		if t := r.Owner[fmt.Sprintf("t%d", i)]; t != nil && !t.Members.cut() {
			out.Members[team] = digestOf(t.Members)
		}
	}
	seen := map[int]proposal.Pull{}
	for _, list := range []proposalList{r.Oldest, r.Newest} {
		for _, p := range list.Nodes {
			seen[p.Number] = proposal.Pull{Number: p.Number, Head: p.Head, Branch: p.Branch, Fork: p.Fork}
			switch edit := seen[p.Number]; {
			case p.Base == out.DefaultBranch:
			case strings.HasPrefix(p.Base, ask.Prefix): // it asks for an edit of an incident's plan
				edit.Base = p.Base
				seen[p.Number] = edit
			default:
				delete(seen, p.Number)
			}
		}
	}
	out.Whole = r.Oldest.Total <= 2*maxSurveyed
	out.Proposals = out.Proposals[:0]
	for _, number := range slices.Sorted(maps.Keys(seen)) {
		out.Proposals = append(out.Proposals, seen[number])
	}
}

// surveyQuestion asks for one page of branches. teams are those of the owner, as they are named in the question.
func (c *Client) surveyQuestion(ask SurveyQuestion, after string) (q question, teams []string) {
	var vars, ofOwner strings.Builder
	q.Variables = map[string]any{"owner": c.owner, "name": c.repo, "file": "HEAD:" + ask.File, "prefix": "refs/heads/" + ask.Prefix}
	if after != "" {
		q.Variables["after"] = after
	}
	for _, team := range ask.Teams {
		slug, ours := c.ownTeam(team)
		if !ours {
			continue
		}
		name := fmt.Sprintf("t%d", len(teams))
		q.Variables[name] = slug
		fmt.Fprintf(&vars, " $%s:String!", name)
		fmt.Fprintf(&ofOwner, " %s:team(slug:$%s){members(first:%d){totalCount nodes{databaseId}}}", name, name, maxMembers)
		teams = append(teams, team)
	}
	owner := ""
	if len(teams) > 0 {
		owner = " owner{... on Organization{" + strings.TrimSpace(ofOwner.String()) + "}}"
	}
	const said = "id lastEditedAt updatedAt author{login}"
	const list = "totalCount nodes{number baseRefName headRefName headRefOid isCrossRepository}"
	q.Query = "query($owner:String! $name:String! $file:String! $prefix:String! $after:String" + vars.String() + "){repository(owner:$owner,name:$name){" +
		"defaultBranchRef{name} object(expression:$file){oid}" +
		" oldest:pullRequests(states:OPEN,first:100,orderBy:{field:CREATED_AT,direction:ASC}){" + list + "}" +
		" newest:pullRequests(states:OPEN,last:100,orderBy:{field:CREATED_AT,direction:ASC}){" + list + "}" +
		" refs(refPrefix:$prefix,first:100,after:$after){pageInfo{hasNextPage endCursor} nodes{name associatedPullRequests(states:OPEN,first:3){nodes{" +
		"number baseRefName headRefOid updatedAt lastEditedAt labels(first:100){totalCount nodes{name}} assignees(first:100){totalCount nodes{login}}" +
		" reviewRequests(first:100){totalCount nodes{requestedReviewer{... on User{login} ... on Team{slug}}}}" +
		" reviews(first:100){totalCount nodes{" + said + " state authorCanPushToRepository commit{oid}}}" +
		" comments(first:100){totalCount nodes{" + said + "}}}}}}" + owner + "}}"
	return q, teams
}
