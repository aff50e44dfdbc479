package graphql

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// TestWhoMayDoWhat runs each mutation as everybody: what an actor may not see is not there, what it may see and not
// change is forbidden.
func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	p := w.incident()
	open := w.pull("bob", "acme/open", "fix")
	comment, err := w.store.AddComment(w.actor("bob"), "acme/open", open.Number, "bob's")
	if err != nil {
		t.Fatal(err)
	}
	v := vars{"p": pid(p), "o": pid(open), "c": string(numberID("IssueComment", comment.ID)), "r": string(numberID("Repository", 403)), "s": open.Head.SHA, "f": string(refID("acme/open", "refs/heads/fix"))}
	for _, c := range []struct{ name, doc, kinds string }{ // kinds of mallory, alice, the App that only reads
		{"comment on what is hidden", `mutation($p:ID!){addComment(input:{subjectId:$p,body:"x"}){clientMutationId}}`, "NOT_FOUND - FORBIDDEN"},
		{"comment in public", `mutation($o:ID!){addComment(input:{subjectId:$o,body:"x"}){clientMutationId}}`, "- - FORBIDDEN"},
		{"another's comment", `mutation($c:ID!){updateIssueComment(input:{id:$c,body:"x"}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"review in public", `mutation($o:ID!){addPullRequestReview(input:{pullRequestId:$o,event:APPROVE}){clientMutationId}}`, "- - FORBIDDEN"},
		{"request", `mutation($o:ID!){requestReviews(input:{pullRequestId:$o,userIds:[]}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"close", `mutation($o:ID!){closePullRequest(input:{pullRequestId:$o}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"edit", `mutation($o:ID!){updatePullRequest(input:{pullRequestId:$o,title:"x"}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"merge", `mutation($o:ID!){mergePullRequest(input:{pullRequestId:$o}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"check", `mutation($r:ID!,$s:GitObjectID!){createCheckRun(input:{repositoryId:$r,headSha:$s,name:"x"}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"ref", `mutation($f:ID!){deleteRef(input:{refId:$f}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
		{"refs", `mutation($r:ID!,$s:GitObjectID!){updateRefs(input:{repositoryId:$r,refUpdates:[{name:"refs/heads/q",afterOid:$s}]}){clientMutationId}}`, "FORBIDDEN FORBIDDEN FORBIDDEN"},
	} {
		for i, who := range []string{"mallory", "alice", "reader"} {
			want := strings.Fields(c.kinds)[i]
			r := w.ask(who, c.doc, used(c.doc, v))
			got := "-"
			if len(r.Errors) > 0 {
				got = r.Errors[0].Type
			}
			if got != want {
				t.Errorf("%s as %s: %s, want %s: %+v", c.name, who, got, want, r.Errors)
			}
		}
	}
	if why := w.refused("mallory", `mutation($o:ID!){mergePullRequest(input:{pullRequestId:$o}){clientMutationId}}`, vars{"o": pid(open)}, "FORBIDDEN"); why != "mallory does not have the correct permissions to execute `MergePullRequest`" {
		t.Error(why)
	}
}

// used is the part of the variables that a document names.
func used(doc string, all vars) vars {
	out := vars{}
	for name, v := range all {
		if strings.Contains(doc, "$"+name+":") {
			out[name] = v
		}
	}
	return out
}

func TestTeamsAreForMembers(t *testing.T) {
	w := newWorld(t)
	const doc = `{organization(login:"acme"){viewerIsAMember team(slug:"sre"){slug combinedSlug members(first:10){totalCount nodes{login} edges{role}}} teams(first:10,orderBy:{field:NAME,direction:ASC}){nodes{name organization{login}}}}}`
	for _, who := range []string{"alice", "carol", "app"} {
		d := w.must(who, doc, nil)
		if get(t, d, "organization", "team", "members", "nodes", 1, "login") != "bob" || get(t, d, "organization", "teams", "nodes", 0, "name") != "SRE" {
			t.Errorf("%s: %v", who, d)
		}
	}
	for _, who := range []string{"mallory", "reader"} {
		r := w.ask(who, doc, nil)
		if len(r.Errors) != 2 || r.Errors[0].Type != "FORBIDDEN" {
			t.Errorf("%s: %+v", who, r)
		}
	}
	w.refused("mallory", `query($id:ID!){node(id:$id){id}}`, vars{"id": string(numberID("Team", 301))}, "NOT_FOUND")
	if d := w.must("alice", `{organization(login:"acme"){team(slug:"nope"){id}}}`, nil); get(t, d, "organization", "team") != nil {
		t.Errorf("%v", d)
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	w.incident()
	w.pull("bob", "acme/ops", "fix")
	w.pull("bob", "acme/open", "other")
	if _, err := w.store.AddLabels(w.actor("bob"), "acme/ops", 2, []string{"needs work"}); err != nil {
		t.Fatal(err)
	}
	closed := "closed"
	if _, err := w.store.EditPull(w.actor("bob"), "acme/open", 1, state.PullEdit{State: &closed}); err != nil {
		t.Fatal(err)
	}
	const doc = `query($q:String!){search(query:$q,type:ISSUE,first:10){issueCount edges{cursor} nodes{... on PullRequest{headRefName}} pageInfo{hasNextPage endCursor}}}`
	for query, want := range map[string]string{
		"repo:acme/ops state:open is:pr author:bob": "fix",
		"repo:acme/ops is:pr":                       "fix incident/one",
		"is:pr author:@me":                          "other fix",
		"is:pr is:closed":                           "other",
		"is:pr is:merged":                           "",
		"is:issue":                                  "",
		"repo:acme/ops state:open review-requested:alice":     "incident/one",
		"repo:acme/ops state:open review-requested:bob":       "incident/one", // through the team
		"head:fix base:main":                                  "fix",
		"org:acme sort:created-asc":                           "incident/one fix other",
		`label:"needs work"`:                                  "fix",
		`"title of fix"`:                                      "fix",
		"-author:bob":                                         "incident/one",
		"author:app/pullbook":                                 "incident/one",
		"draft:true":                                          "",
		"draft:false repo:acme/open":                          "other",
		"nonsense:yes":                                        "",
		"repo:acme/secret":                                    "",
		"repo:acme/ops is:pr author:bob in fix absent-word-x": "",
	} {
		d := w.must("bob", doc, vars{"q": query})
		var got []string
		for _, n := range get(t, d, "search", "nodes").([]any) {
			got = append(got, get(t, n, "headRefName").(string))
		}
		if strings.Join(got, " ") != want || get(t, d, "search", "issueCount") != float64(len(got)) {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	if d := w.must("mallory", doc, vars{"q": "is:pr"}); get(t, d, "search", "issueCount") != 1. {
		t.Errorf("a stranger sees what is public: %v", d)
	}
	d := w.must("bob", `{r:search(query:"op",type:REPOSITORY,first:5){repositoryCount nodes{... on Repository{name}}} u:search(query:"ali",type:USER,first:5){userCount nodes{... on User{login}}}}`, nil)
	if get(t, d, "r", "repositoryCount") != 2. || get(t, d, "u", "nodes", 0, "login") != "alice" {
		t.Errorf("%v", d)
	}
}

// TestPolicyBot asks as palantir/policy-bot 1.42 does: paged commits, comments and reviews together, requests beside the
// removed ones, signatures, collaborators.
func TestPolicyBot(t *testing.T) {
	w := newWorld(t)
	w.rich()
	d := w.must("app", `query($owner:String!,$name:String!,$number:Int!,$commitCursor:String,$commentCursor:String,$reviewCursor:String){repository(owner:$owner,name:$name){pullRequest(number:$number){
		commits(first:80,after:$commitCursor){pageInfo{endCursor hasNextPage} nodes{commit{oid author{user{__typename login}} committer{user{__typename login}} committedViaWeb parents(first:3){nodes{oid}}
			signature{__typename ... on GpgSignature{isValid keyId signer{__typename login} state} ... on SmimeSignature{isValid signer{__typename login} state} ... on SshSignature{isValid keyFingerprint signer{__typename login} state}}}}}
		comments(first:100,after:$commentCursor){pageInfo{endCursor hasNextPage} nodes{author{__typename login} body createdAt lastEditedAt}}
		reviews(first:50,after:$reviewCursor,states:[APPROVED,CHANGES_REQUESTED,COMMENTED]){pageInfo{endCursor hasNextPage} nodes{id author{__typename login} state body submittedAt lastEditedAt commit{oid} onBehalfOf(first:15){nodes{slug}}}}}}}`,
		vars{"owner": "acme", "name": "ops", "number": 1, "commitCursor": nil, "commentCursor": nil, "reviewCursor": nil})
	if n := len(get(t, d, "repository", "pullRequest", "reviews", "nodes").([]any)); n != 3 {
		t.Errorf("%d reviews", n)
	}
	d = w.must("app", `query($owner:String!,$name:String!,$number:Int!,$requestCursor:String,$timelineCursor:String){repository(owner:$owner,name:$name){pullRequest(number:$number){
		reviewRequests(first:100,after:$requestCursor){pageInfo{endCursor hasNextPage} nodes{requestedReviewer{... on User{__typename login} ... on Team{slug}}}}
		timelineItems(first:100,after:$timelineCursor,itemTypes:[REVIEW_REQUEST_REMOVED_EVENT]){pageInfo{endCursor hasNextPage} nodes{... on ReviewRequestRemovedEvent{actor{__typename login} requestedReviewer{... on User{__typename login} ... on Team{slug}}}}}}}}`,
		vars{"owner": "acme", "name": "ops", "number": 1})
	if get(t, d, "repository", "pullRequest", "reviewRequests", "nodes", 0, "requestedReviewer", "slug") != "sre" {
		t.Errorf("%v", d)
	}
	d = w.must("app", `query($owner:String!,$name:String!,$user:String!,$cursor:String){repository(owner:$owner,name:$name){collaborators(query:$user,first:100,after:$cursor){pageInfo{endCursor hasNextPage} edges{permission} nodes{__typename login}}}}`,
		vars{"owner": "acme", "name": "ops", "user": "carol"})
	if get(t, d, "repository", "collaborators", "edges", 0, "permission") != "ADMIN" {
		t.Errorf("%v", d)
	}
}
