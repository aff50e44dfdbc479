package graphql

import "testing"

func TestFirst(t *testing.T) {
	w := newWorld(t)
	p := w.pull("app", "acme/ops", "incident/one")
	d := w.must("alice", `query($o:String!,$n:String!,$k:Int!){viewer{login} repository(owner:$o,name:$n){id owner{id login} defaultBranchRef{name target{... on Commit{oid}}} pullRequest(number:$k){id number title author{__typename login} mergeable mergeStateStatus commits(last:1){totalCount nodes{commit{oid messageHeadline}}}}}}`, vars{"o": "acme", "n": "ops", "k": p.Number})
	t.Log(d)
}
