package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// blameRange is who wrote some lines, as GraphQL has it.
type blameRange struct {
	From   int `json:"startingLine"`
	To     int `json:"endingLine"`
	Commit struct {
		ID      string `json:"abbreviatedOid"`
		Authors struct {
			TotalCount int `json:"totalCount"`
			Nodes      []*struct {
				User *account `json:"user"`
			} `json:"nodes"`
		} `json:"authors"`
		Pulls struct {
			Nodes []*struct {
				Number int      `json:"number"`
				Merged bool     `json:"merged"`
				Author *account `json:"author"`
			} `json:"nodes"`
		} `json:"associatedPullRequests"`
	} `json:"commit"`
}

// account is a user or an App's bot. Only a person has an id here.
type account struct {
	ID    int64  `json:"databaseId"`
	Login string `json:"login"`
}

// Blame returns who wrote the lines of files at a commit: the authors of the commits, as the hub maps their addresses to
// accounts, and the authors of the merged pull requests that brought them in. An address proves nothing, so a range is
// Unmapped where one of its authors is no account; the author of a pull request is known by the hub itself.
func (c *Client) Blame(ctx context.Context, commit string, files []string) ([]runbook.Blame, error) {
	op := "read who wrote the runbook at " + line(commit)
	if !plain(commit) {
		return nil, &Error{Op: op, Message: "no commit"}
	}
	var data struct {
		Repository struct {
			Object map[string]json.RawMessage `json:"object"`
		} `json:"repository"`
	}
	if err := c.graph(ctx, op, c.blameQuestion(commit, files), &data); err != nil {
		return nil, err
	}
	var out []runbook.Blame
	for i, file := range files {
		var blame struct {
			Ranges []blameRange `json:"ranges"`
		}
		if err := json.Unmarshal(data.Repository.Object[fmt.Sprintf("f%d", i)], &blame); err != nil {
			return nil, &Error{Op: op, Message: "the hub's answer does not fit the question"}
		}
		for _, r := range blame.Ranges {
			out = append(out, r.blame(file))
		}
	}
	return out, nil
}

func (c *Client) blameQuestion(commit string, files []string) question {
	const of = `(path:$f%d){ranges{startingLine endingLine commit{abbreviatedOid authors(first:10){totalCount nodes{user{databaseId login}}} ` +
		`associatedPullRequests(first:10){nodes{number merged author{login ... on User{databaseId}}}}}}}`
	q := question{Variables: map[string]any{"owner": c.owner, "name": c.repo, "commit": commit}}
	var vars, fields strings.Builder
	for i, file := range files {
		q.Variables[fmt.Sprintf("f%d", i)] = file
		fmt.Fprintf(&vars, " $f%d:String!", i)
		fmt.Fprintf(&fields, " f%d:blame"+of, i, i)
	}
	q.Query = "query($owner:String! $name:String! $commit:String!" + vars.String() +
		"){repository(owner:$owner,name:$name){object(expression:$commit){... on Commit{" + strings.TrimSpace(fields.String()) + "}}}}"
	return q
}

func (r blameRange) blame(file string) runbook.Blame {
	out := runbook.Blame{Lines: runbook.Lines{File: file, From: r.From, To: r.To}}
	authors := r.Commit.Authors
	out.Unmapped = len(authors.Nodes) == 0 || authors.TotalCount > len(authors.Nodes)
	for _, n := range authors.Nodes {
		if n == nil || n.User == nil || n.User.ID == 0 {
			out.Unmapped = true
			continue
		}
		out.Authors = append(out.Authors, runbook.Author{ID: n.User.ID, Login: n.User.Login, By: "commit " + line(r.Commit.ID)})
	}
	for _, p := range r.Commit.Pulls.Nodes {
		if p != nil && p.Merged && p.Author != nil && p.Author.ID != 0 {
			out.Authors = append(out.Authors, runbook.Author{ID: p.Author.ID, Login: p.Author.Login, By: fmt.Sprintf("pull request %d", p.Number)})
		}
	}
	return out
}
