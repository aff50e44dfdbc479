package github

import (
	"context"
	"fmt"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// writtenBy is a commit of a pull request, as GraphQL has it.
type writtenBy struct {
	ID      string `json:"abbreviatedOid"`
	Authors struct {
		TotalCount int      `json:"totalCount"`
		Nodes      []*actor `json:"nodes"`
	} `json:"authors"`
	ViaWeb    bool   `json:"committedViaWeb"` // then the committer is the hub itself
	Committer *actor `json:"committer"`
}

// actor is an author or committer; without an account there is nobody behind the address.
type actor struct {
	User *account `json:"user"`
}

// Writers returns who wrote the commits of a pull request, as the hub maps their addresses to accounts, those who committed
// what others wrote included. One that cannot be mapped, or is not listed, makes it Unmapped.
func (c *Client) Writers(ctx context.Context, number int) (w proposal.Writers, err error) {
	op := fmt.Sprintf("read who wrote pull request %d", number)
	var data struct {
		Repository struct {
			Pull struct {
				Head    string `json:"headRefOid"`
				Base    string `json:"baseRefName"`
				Commits struct {
					TotalCount int `json:"totalCount"`
					Nodes      []*struct {
						Commit writtenBy `json:"commit"`
					} `json:"nodes"`
				} `json:"commits"`
			} `json:"pullRequest"`
		} `json:"repository"`
	}
	q := question{Variables: map[string]any{"owner": c.owner, "name": c.repo, "number": number},
		Query: `query($owner:String! $name:String! $number:Int!){repository(owner:$owner,name:$name){pullRequest(number:$number){headRefOid baseRefName ` +
			`commits(first:100){totalCount nodes{commit{abbreviatedOid committedViaWeb committer{user{databaseId login}} ` +
			`authors(first:10){totalCount nodes{user{databaseId login}}}}}}}}}`}
	if err := c.graph(ctx, op, q, &data); err != nil {
		return w, err
	}
	pull := data.Repository.Pull
	w.Head, w.Base = pull.Head, pull.Base
	if pull.Commits.TotalCount > len(pull.Commits.Nodes) || len(pull.Commits.Nodes) == 0 {
		w.Unmapped = fmt.Sprintf("one of its %d commits", pull.Commits.TotalCount)
	}
	for _, n := range pull.Commits.Nodes {
		if n == nil {
			return w, &Error{Op: op, Message: "the hub's answer does not fit the question"}
		}
		n.Commit.add(&w)
	}
	return w, nil
}

func (b writtenBy) add(w *proposal.Writers) {
	by := "commit " + line(b.ID)
	people := b.Authors.Nodes
	if !b.ViaWeb {
		people = append(people[:len(people):len(people)], b.Committer)
	}
	if b.Authors.TotalCount > len(b.Authors.Nodes) || len(b.Authors.Nodes) == 0 {
		w.Unmapped = by
	}
	for _, a := range people {
		if a == nil || a.User == nil || a.User.ID == 0 {
			w.Unmapped = by
			continue
		}
		w.Authors = append(w.Authors, runbook.Author{ID: a.User.ID, Login: a.User.Login, By: by})
	}
}
