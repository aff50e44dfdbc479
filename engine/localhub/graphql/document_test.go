package graphql

import "testing"

func TestNodesAreCountedAsGitHubCounts(t *testing.T) {
	for _, c := range []struct {
		query string
		v     vars
		want  int
	}{
		{`{viewer{login}}`, nil, 0},
		// GitHub's own example: 50 repositories, 50x20 pull requests, 50x20x10 comments, ... 22,060 nodes in all.
		{`{viewer{repositories(first:50){edges{node{pullRequests(first:20){edges{node{comments(first:10){edges{node{id}}}}}} issues(first:20){edges{node{id comments(first:10){edges{node{id}}}}}}}}} followers(first:10){edges{node{login}}}}}`, nil, 22060},
		{`query($n:Int){a(first:$n){b(last:3){id}}}`, vars{"n": 5.}, 5 + 15},
		{`query($n:Int=7){a(first:$n){id}}`, nil, 7},
		{`query($n:Int!){a(first:$n){id}}`, vars{"n": "many"}, 0},
		{`{a(first:2){...f ...f}} fragment f on X{b(first:4){id}}`, nil, 2 + 2*8},
		{`{a(first:100000){id}}`, nil, 100},
	} {
		doc, err := parse(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := doc.nodes("", c.v); err != nil || got != c.want {
			t.Errorf("%s: %d (%v), want %d", c.query, got, err, c.want)
		}
	}
}

// FuzzDocument: whatever is sent is counted and searched without a panic and within bounds.
func FuzzDocument(f *testing.F) {
	f.Add(`query a($n:Int=3){x:b(first:$n){...f ... on C{d}}} fragment f on C{...g} fragment g on C{...f e(last:100){id}}`, "a", "x")
	f.Add(`{a(first:99999999999999999999){b}} subscription{c}`, "", "a")
	f.Add("{", "", "")
	f.Fuzz(func(t *testing.T, text, operation, step string) {
		doc, err := parse(text)
		if err != nil {
			return
		}
		if n, err := doc.nodes(operation, vars{"n": 7.}); n < 0 || n > ceiling || (n > MaxNodes) != (err != nil) {
			t.Errorf("%d nodes, %v", n, err)
		}
		doc.locate(operation, []any{step, 0, step})
	})
}
