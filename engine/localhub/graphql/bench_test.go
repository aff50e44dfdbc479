package graphql

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// BenchmarkTenThousandPulls measures what gh asks most, in a repository with 10,000 pull requests.
func BenchmarkTenThousandPulls(b *testing.B) {
	w := newWorld(b)
	head := w.branch("acme/ops", "fix", map[string]string{"fix": "1\n"})
	base := w.tip("acme/ops", "main")
	var last *state.Pull
	for i := range 10_000 {
		p, err := w.store.CreatePull(w.actor("app"), "acme/ops", state.NewPull{
			Title: fmt.Sprint("Pull request ", i), Base: state.Tip{Ref: "main", SHA: base}, Head: state.Tip{Ref: fmt.Sprint("b", i), SHA: head}, Stats: state.Stats{Commits: 1},
		})
		if err != nil {
			b.Fatal(err)
		}
		last = p
	}
	for name, query := range map[string]string{
		"list":   `{repository(owner:"acme",name:"ops"){pullRequests(first:30,states:[OPEN],orderBy:{field:CREATED_AT,direction:DESC}){totalCount nodes{number title state url headRefName headRepositoryOwner{login} isDraft createdAt} pageInfo{hasNextPage endCursor}}}}`,
		"search": `{search(query:"repo:acme/ops is:pr state:open author:app/pullbook",type:ISSUE,first:30){issueCount nodes{... on PullRequest{number title}}}}`,
		"node":   `{node(id:"` + pid(last) + `"){... on PullRequest{number title reviews(first:10){totalCount}}}}`,
	} {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if out := w.post("alice", string(body)); out.Code != http.StatusOK {
					b.Fatal(out.Body)
				}
			}
		})
	}
}
