package graphql

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyTheSignedInAreAnswered(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		who, body string
		status    int
		words     string
	}{
		{"", `{"query":"{viewer{login}}"}`, 401, "This endpoint requires you to be authenticated."},
		{"wrong", `{"query":"{viewer{login}}"}`, 401, "Bad credentials"},
		{"ghs_wrong", `{"query":"{viewer{login}}"}`, 401, "Bad credentials"},
		{"alice", `{"query":"{viewer{login}}"}`, 200, `"login":"alice"`},
		{"app", `{"query":"{viewer{login}}"}`, 200, `"login":"pullbook[bot]"`},
		{"alice", `{"query":`, 400, "Problems parsing JSON"},
		{"alice", `{"query":"{viewer{login}}"} trailing`, 400, "Problems parsing JSON"},
		{"alice", `{"query":7}`, 400, "Problems parsing JSON"},
		{"alice", `[]`, 400, "Problems parsing JSON"},
		{"alice", `{}`, 200, "A query attribute must be specified and must be a string."},
		{"alice", `{"query":"` + strings.Repeat(" ", MaxBody) + `"}`, 413, "Payload too large"},
	} {
		out := w.post(c.who, c.body)
		if out.Code != c.status || !strings.Contains(out.Body.String(), c.words) {
			t.Errorf("%s %.40s: %d %s", c.who, c.body, out.Code, out.Body)
		}
	}
}

func TestHeadersTellTheRate(t *testing.T) {
	w := newWorld(t)
	var seen []string
	w.server.config.OnRequest = func(method, pattern string, status int) {
		seen = append(seen, fmt.Sprint(method, " ", pattern, " ", status))
	}
	w.post("alice", `{"query":"{viewer{login}}"}`)
	out := w.post("alice", `{"query":"{rateLimit{cost limit remaining used nodeCount resetAt}}"}`)
	h := out.Header()
	if h.Get("X-RateLimit-Resource") != "graphql" || h.Get("X-RateLimit-Used") != "2" || h.Get("X-RateLimit-Remaining") != "4998" || h.Get("X-GitHub-Media-Type") != "github.v4; format=json" {
		t.Errorf("%v", h)
	}
	if want := `{"data":{"rateLimit":{"cost":1,"limit":5000,"remaining":4998,"used":2,"nodeCount":0,"resetAt":"2026-11-22T10:00:00Z"}}}`; out.Body.String() != want {
		t.Error(out.Body)
	}
	if strings.Join(seen, ", ") != "POST /graphql 200, POST /graphql 200" {
		t.Error(seen)
	}
}

func TestGetDescribesTheSchema(t *testing.T) {
	w := newWorld(t)
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPut: 404} {
		r := httptest.NewRequest(method, "http://hub.test/graphql", nil)
		r.Header.Set("Authorization", "token alice")
		out := httptest.NewRecorder()
		w.server.ServeHTTP(out, r)
		if out.Code != want || !json.Valid(out.Body.Bytes()) {
			t.Errorf("%s: %d %.100s", method, out.Code, out.Body)
		}
	}
}

func TestErrorsHaveGitHubsForm(t *testing.T) {
	w := newWorld(t)
	w.incident()
	for _, c := range []struct{ who, query, want string }{
		{"alice", "{ viewer {login}\n  x: repository(owner:\"x\",name:\"y\") {id} }",
			`{"data":{"viewer":{"login":"alice"},"x":null},"errors":[{"type":"NOT_FOUND","path":["x"],"locations":[{"line":2,"column":3}],"message":"Could not resolve to a Repository with the name 'x/y'."}]}`},
		{"alice", `{repository(owner:"acme",name:"ops"){...f}} fragment f on Repository{pullRequest(number:9){id}}`,
			`{"data":{"repository":{"pullRequest":null}},"errors":[{"type":"NOT_FOUND","path":["repository","pullRequest"],"locations":[{"line":1,"column":70}],"message":"Could not resolve to a PullRequest with the number of 9."}]}`},
		{"alice", `{repository(owner:"acme",name:"ops"){issue(number:1){id}}}`,
			`{"data":{"repository":{"issue":null}},"errors":[{"type":"NOT_FOUND","path":["repository","issue"],"locations":[{"line":1,"column":38}],"message":"Could not resolve to an Issue with the number of 1."}]}`},
		{"alice", `{user(login:"acme"){id}}`,
			`{"data":{"user":null},"errors":[{"type":"NOT_FOUND","path":["user"],"locations":[{"line":1,"column":2}],"message":"Could not resolve to a User with the login of 'acme'."}]}`},
		{"alice", `{organization(login:"bob"){id}}`,
			`{"data":{"organization":null},"errors":[{"type":"NOT_FOUND","path":["organization"],"locations":[{"line":1,"column":2}],"message":"Could not resolve to an Organization with the login of 'bob'."}]}`},
		{"reader", `{repository(owner:"acme",name:"ops"){name pullRequest(number:1){id}}}`,
			`{"data":{"repository":{"name":"ops","pullRequest":null}},"errors":[{"type":"FORBIDDEN","path":["repository","pullRequest"],"locations":[{"line":1,"column":43}],"message":"Resource not accessible by integration"}]}`},
	} {
		body, err := json.Marshal(map[string]any{"query": c.query})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.post(c.who, string(body)).Body.String(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	w := newWorld(t)
	deep := strings.Repeat("parents(first:1){nodes{", 20) + "oid" + strings.Repeat("}}", 20)
	many := "{" + strings.Repeat("repository(owner:\"acme\",name:\"ops\"){id} ", 10) + "}"
	var chain strings.Builder
	for i := range 40 { // each fragment twice in the next: 2^40 selections
		fmt.Fprintf(&chain, "fragment f%d on Repository{a%d:id ...f%d ...f%d} ", i, i, i+1, i+1)
	}
	chain.WriteString("fragment f40 on Repository{id}")
	for name, c := range map[string]struct{ query, words string }{
		"depth":      {`{repository(owner:"acme",name:"ops"){object(expression:"main"){... on Commit{` + deep + `}}}}`, "depth"},
		"nodes":      {`{repository(owner:"acme",name:"ops"){pullRequests(first:100){nodes{reviews(first:100){nodes{comments(first:100){nodes{id}}}}}}}}`, "exceeds the maximum limit of 500000"},
		"fragments":  {`{repository(owner:"acme",name:"ops"){...f0}} ` + chain.String(), ""},
		"cycle":      {`{repository(owner:"acme",name:"ops"){...a}} fragment a on Repository{...b} fragment b on Repository{...a}`, ""},
		"syntax":     {`{viewer{login}`, "Parse error"},
		"operations": {`query a{viewer{login}} query b{viewer{login}}`, ""},
		"unknown":    {`{viewer{nonsense}}`, "nonsense"},
		"argument":   {`{repository(owner:"acme"){id}}`, "name"},
		"type":       {`{repository(owner:"acme",name:"ops"){pullRequest(number:"1"){id}}}`, ""},
		"tokens":     {"{" + strings.Repeat("a ", 60_000) + "}", "token"},
	} {
		r := w.askUnchecked("alice", c.query, nil)
		if len(r.Errors) == 0 || !strings.Contains(r.Errors[0].Message, c.words) || r.Data["repository"] != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := w.askUnchecked("alice", many, nil); len(r.Errors) > 0 {
		t.Errorf("the same field ten times is one field: %+v", r.Errors)
	}
	w.refused("alice", `query($ids:[ID!]!){nodes(ids:$ids){id}}`, vars{"ids": make([]string, 101)}, "ARGUMENT_LIMIT")
}

func TestIntrospectionTellsFeatures(t *testing.T) {
	w := newWorld(t)
	d := w.must("alice", `query PullRequest_fields{PullRequest: __type(name:"PullRequest"){fields(includeDeprecated:true){name}} Gone: __type(name:"LinkedBranch"){fields{name}} __schema{queryType{name}}}`, nil)
	names := map[any]bool{}
	for _, f := range get(t, d, "PullRequest", "fields").([]any) {
		names[get(t, f, "name")] = true
	}
	if !names["isInMergeQueue"] || !names["statusCheckRollup"] || get(t, d, "Gone") != nil || get(t, d, "__schema", "queryType", "name") != "Query" {
		t.Errorf("%v", names)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	p := w.pull("app", "acme/ops", "incident/one")
	for i := range 7 {
		if _, err := w.store.AddComment(w.actor("bob"), "acme/ops", p.Number, fmt.Sprint("comment ", i)); err != nil {
			t.Fatal(err)
		}
	}
	const doc = `query($f:Int,$l:Int,$a:String,$b:String){repository(owner:"acme",name:"ops"){pullRequest(number:1){comments(first:$f,last:$l,after:$a,before:$b){totalCount nodes{body} edges{cursor} pageInfo{startCursor endCursor hasNextPage hasPreviousPage}}}}}`
	page := func(v vars) (string, map[string]any) {
		c := get(t, w.must("alice", doc, v), "repository", "pullRequest", "comments")
		var out []string
		for _, n := range get(t, c, "nodes").([]any) {
			out = append(out, strings.TrimPrefix(get(t, n, "body").(string), "comment "))
		}
		if get(t, c, "totalCount") != 7. {
			t.Errorf("%v", c)
		}
		return strings.Join(out, ""), get(t, c, "pageInfo").(map[string]any)
	}
	all, after := "", any(nil)
	for range 3 {
		got, info := page(vars{"f": 3, "a": after})
		all, after = all+got+"|", info["endCursor"]
		if info["hasNextPage"] != (got != "6") {
			t.Errorf("%s: %v", got, info)
		}
	}
	if all != "012|345|6|" {
		t.Error(all)
	}
	if got, info := page(vars{"f": 3, "a": after}); got != "" || info["endCursor"] != nil || info["hasNextPage"] != false || info["hasPreviousPage"] != true {
		t.Errorf("after the end: %q %v", got, info)
	}
	_, info := page(vars{"l": 2})
	if got, info := page(vars{"l": 3, "b": info["startCursor"]}); got != "234" || info["hasPreviousPage"] != true {
		t.Errorf("backwards: %q %v", got, info)
	}
	for kind, v := range map[string]vars{
		"MISSING_PAGINATION_BOUNDARIES": {}, "EXCESSIVE_PAGINATION": {"f": 101}, "ARGUMENT_ERROR": {"l": -1}, "INVALID_CURSOR_ARGUMENTS": {"f": 1, "a": "bad"},
	} {
		w.refused("alice", doc, v, kind)
	}
}

func TestFaultsOfTheHubStayInItsLog(t *testing.T) {
	w := newWorld(t)
	w.server.config.Repos = nil
	r := w.ask("alice", `{viewer{login} repository(owner:"acme",name:"ops"){name isEmpty}}`, nil)
	if len(r.Errors) != 1 || !strings.HasPrefix(r.Errors[0].Message, "Something went wrong while executing your query. Please include `") || get(t, r.Data, "viewer", "login") != "alice" {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(w.log.String(), "a GraphQL resolver panicked") {
		t.Errorf("log: %s", w.log.String())
	}
}
