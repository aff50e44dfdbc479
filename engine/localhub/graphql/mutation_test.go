package graphql

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func pid(p *state.Pull) string { return string(numberID("PullRequest", p.ID)) }

func opsID() string { return string(numberID("Repository", 401)) }

func TestTalkMutations(t *testing.T) {
	w := newWorld(t)
	p := w.incident()
	d := w.must("alice", `mutation($s:ID!,$b:String!){addComment(input:{subjectId:$s,body:$b,clientMutationId:"m1"}){clientMutationId commentEdge{cursor node{id body url author{login}}} subject{id ... on PullRequest{totalCommentsCount}}}}`,
		vars{"s": pid(p), "b": "/ack"})
	if get(t, d, "addComment", "clientMutationId") != "m1" || get(t, d, "addComment", "subject", "totalCommentsCount") != 2. {
		t.Errorf("%v", d)
	}
	comment := get(t, d, "addComment", "commentEdge", "node", "id")
	d = w.must("alice", `mutation($id:ID!){updateIssueComment(input:{id:$id,body:"/ack now"}){issueComment{body includesCreatedEdit lastEditedAt}} addReaction(input:{subjectId:$id,content:EYES}){reaction{content user{login}}}}`, vars{"id": comment})
	if get(t, d, "updateIssueComment", "issueComment", "includesCreatedEdit") != true || get(t, d, "addReaction", "reaction", "content") != "EYES" {
		t.Errorf("%v", d)
	}
	d = w.must("bob", `query($id:ID!){node(id:$id){... on IssueComment{reactionGroups{content viewerHasReacted users(first:5){totalCount nodes{login} edges{reactedAt}}}}}}`, vars{"id": comment})
	if get(t, d, "node", "reactionGroups", 7, "users", "nodes", 0, "login") != "alice" || get(t, d, "node", "reactionGroups", 0, "users", "totalCount") != 0. {
		t.Errorf("%v", d)
	}
	w.must("bob", `mutation($p:ID!){addReaction(input:{subjectId:$p,content:ROCKET}){reaction{content}}}`, vars{"p": pid(p)})
	d = w.must("alice", `query($p:ID!){node(id:$p){... on PullRequest{milestone{title} reactionGroups{content users{totalCount}}}}}`, vars{"p": pid(p)})
	if get(t, d, "node", "reactionGroups", 6, "users", "totalCount") != 1. {
		t.Errorf("%v", d)
	}
	w.must("bob", `mutation($id:ID!){deleteIssueComment(input:{id:$id}){clientMutationId}}`, vars{"id": comment})
	w.refused("bob", `mutation($id:ID!){deleteIssueComment(input:{id:$id}){clientMutationId}}`, vars{"id": comment}, "NOT_FOUND")
	if why := w.refused("bob", `mutation($s:ID!){addComment(input:{subjectId:$s,body:" "}){clientMutationId}}`, vars{"s": pid(p)}, "UNPROCESSABLE"); why != "Body cannot be blank" {
		t.Error(why)
	}
	if why := w.refused("bob", `mutation($s:ID!,$b:String!){addComment(input:{subjectId:$s,body:$b}){clientMutationId}}`, vars{"s": pid(p), "b": strings.Repeat("x", state.MaxText+1)}, "UNPROCESSABLE"); why != "Body is too long (maximum is 65536 characters)" {
		t.Error(why)
	}
}

func TestReviewMutations(t *testing.T) {
	w := newWorld(t)
	p := w.incident()
	const add = `mutation($p:ID!,$e:PullRequestReviewEvent,$b:String,$c:GitObjectID){addPullRequestReview(input:{pullRequestId:$p,event:$e,body:$b,commitOID:$c}){pullRequestReview{id state commit{oid}} reviewEdge{node{id}}}}`
	d := w.must("alice", add, vars{"p": pid(p), "e": "APPROVE", "c": p.Head.SHA})
	id := get(t, d, "addPullRequestReview", "pullRequestReview", "id")
	if get(t, d, "addPullRequestReview", "pullRequestReview", "commit", "oid") != p.Head.SHA {
		t.Errorf("%v", d)
	}
	for _, c := range []struct {
		who  string
		v    vars
		want string
	}{
		{"app", vars{"p": pid(p), "e": "APPROVE"}, "Can not approve your own pull request"},
		{"bob", vars{"p": pid(p), "e": "REQUEST_CHANGES", "b": ""}, "You need to leave a comment indicating the requested changes."},
		{"bob", vars{"p": pid(p), "e": "APPROVE", "c": w.tip("acme/ops", "main")}, "Commit oid is not part of the pull request"},
	} {
		if why := w.refused(c.who, add, c.v, "UNPROCESSABLE"); why != c.want {
			t.Errorf("%v: %s", c.v, why)
		}
	}
	const edit = `mutation($id:ID!){updatePullRequestReview(input:{pullRequestReviewId:$id,body:"fine"}){pullRequestReview{body lastEditedAt}}}`
	w.must("alice", edit, vars{"id": id})
	w.refused("bob", edit, vars{"id": id}, "FORBIDDEN")
	d = w.must("bob", `mutation($id:ID!){dismissPullRequestReview(input:{pullRequestReviewId:$id,message:"stale"}){pullRequestReview{state}}}`, vars{"id": id})
	if get(t, d, "dismissPullRequestReview", "pullRequestReview", "state") != "DISMISSED" {
		t.Errorf("%v", d)
	}
}

func TestRequestReviews(t *testing.T) {
	w := newWorld(t)
	p := w.pull("app", "acme/ops", "incident/one")
	const ask = `mutation($p:ID!,$u:[ID!],$t:[ID!],$union:Boolean){requestReviews(input:{pullRequestId:$p,userIds:$u,teamIds:$t,union:$union}){requestedReviewersEdge{node{login}}
		pullRequest{reviewRequests(first:10){nodes{requestedReviewer{... on User{login} ... on Team{slug}}}}}}}`
	names := func(d map[string]any) string {
		var out []string
		for _, n := range get(t, d, "requestReviews", "pullRequest", "reviewRequests", "nodes").([]any) {
			for _, v := range get(t, n, "requestedReviewer").(map[string]any) {
				out = append(out, v.(string))
			}
		}
		return strings.Join(out, " ")
	}
	alice, bob, sre := string(numberID("User", 101)), string(numberID("User", 102)), string(numberID("Team", 301))
	if got := names(w.must("app", ask, vars{"p": pid(p), "u": []string{alice}, "t": []string{sre}, "union": true})); got != "alice sre" {
		t.Error(got)
	}
	if got := names(w.must("app", ask, vars{"p": pid(p), "u": []string{bob}, "union": true})); got != "alice bob sre" {
		t.Error(got)
	}
	if got := names(w.must("app", ask, vars{"p": pid(p), "u": []string{bob}, "union": false})); got != "bob" {
		t.Error(got)
	}
	w.refused("app", ask, vars{"p": pid(p), "u": []string{string(numberID("User", 104))}}, "UNPROCESSABLE")
	w.refused("app", ask, vars{"p": pid(p), "u": []string{sre}}, "NOT_FOUND")
}

func TestPullMutations(t *testing.T) {
	w := newWorld(t)
	w.branch("acme/ops", "fix", map[string]string{"fix": "1\n"})
	const open = `mutation($r:ID!,$h:String!){createPullRequest(input:{repositoryId:$r,baseRefName:"main",headRefName:$h,title:"Fix",body:"B",draft:true}){pullRequest{id number isDraft headRefOid}}}`
	d := w.must("bob", open, vars{"r": opsID(), "h": "fix"})
	id := get(t, d, "createPullRequest", "pullRequest", "id")
	if why := w.refused("bob", open, vars{"r": opsID(), "h": "fix"}, "UNPROCESSABLE"); why != "A pull request already exists for acme:fix." {
		t.Error(why)
	}
	if why := w.refused("bob", open, vars{"r": opsID(), "h": "nope"}, "UNPROCESSABLE"); why != "Head ref must be a branch" {
		t.Error(why)
	}
	if why := w.refused("bob", open, vars{"r": opsID(), "h": "main"}, "UNPROCESSABLE"); why != "No commits between main and main" {
		t.Error(why)
	}
	label, err := w.store.AddLabels(w.actor("bob"), "acme/ops", 1, []string{"old"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AddLabels(w.actor("bob"), "acme/ops", 1, []string{"new"}); err != nil {
		t.Fatal(err)
	}
	labels, err := w.store.Labels("acme/ops")
	if err != nil {
		t.Fatal(err)
	}
	fresh, old := string(numberID("Label", labels[0].ID)), string(numberID("Label", label.Labels[0].ID))
	d = w.must("bob", `mutation($p:ID!,$a:[ID!],$l:[ID!]){updatePullRequest(input:{pullRequestId:$p,title:"Better",assigneeIds:$a,labelIds:$l}){actor{login} pullRequest{title body labels(first:5){nodes{name}} assignees(first:5){nodes{login}}}}}`,
		vars{"p": id, "a": []string{string(numberID("User", 101))}, "l": []string{fresh}})
	want := map[string]any{"title": "Better", "body": "B", "labels": map[string]any{"nodes": []any{map[string]any{"name": "new"}}}, "assignees": map[string]any{"nodes": []any{map[string]any{"login": "alice"}}}}
	if diff := cmp.Diff(want, get(t, d, "updatePullRequest", "pullRequest")); diff != "" {
		t.Error(diff)
	}
	const relabel = `mutation($p:ID!,$add:[ID!]!,$del:[ID!]!){addLabelsToLabelable(input:{labelableId:$p,labelIds:$add}){labelable{labels(first:5){totalCount}}} removeLabelsFromLabelable(input:{labelableId:$p,labelIds:$del}){labelable{__typename labels(first:5){nodes{name}}}}}`
	d = w.must("bob", relabel, vars{"p": id, "add": []string{old}, "del": []string{fresh}})
	if get(t, d, "removeLabelsFromLabelable", "labelable", "labels", "nodes", 0, "name") != "old" || get(t, d, "removeLabelsFromLabelable", "labelable", "__typename") != "PullRequest" {
		t.Errorf("%v", d)
	}
	d = w.must("bob", `mutation($p:ID!){closePullRequest(input:{pullRequestId:$p}){pullRequest{state}} reopenPullRequest(input:{pullRequestId:$p}){pullRequest{state}}}`, vars{"p": id})
	if get(t, d, "closePullRequest", "pullRequest", "state") != "CLOSED" || get(t, d, "reopenPullRequest", "pullRequest", "state") != "OPEN" {
		t.Errorf("%v", d)
	}
}

func TestMergeWantsTheHeadThatWasSeen(t *testing.T) {
	w := newWorld(t)
	p := w.pull("app", "acme/ops", "incident/one")
	const merge = `mutation($p:ID!,$h:GitObjectID,$m:PullRequestMergeMethod){mergePullRequest(input:{pullRequestId:$p,expectedHeadOid:$h,commitHeadline:"Done",commitBody:"All of it.",mergeMethod:$m}){actor{login} pullRequest{state mergeCommit{message}}}}`
	if why := w.refused("alice", merge, vars{"p": pid(p), "m": "MERGE"}, "UNPROCESSABLE"); !strings.Contains(why, `"pullbook" is expected`) {
		t.Error(why)
	}
	w.must("app", `mutation($r:ID!,$s:GitObjectID!){createCheckRun(input:{repositoryId:$r,headSha:$s,name:"pullbook",conclusion:SUCCESS}){checkRun{id}}}`, vars{"r": opsID(), "s": p.Head.SHA})
	if why := w.refused("alice", merge, vars{"p": pid(p), "h": p.Base.SHA, "m": "MERGE"}, "UNPROCESSABLE"); why != "Head branch was modified. Review and try the merge again." {
		t.Error(why)
	}
	if why := w.refused("alice", merge, vars{"p": pid(p), "m": "REBASE"}, "UNPROCESSABLE"); why != "Rebase merges are not allowed on this repository." {
		t.Error(why)
	}
	d := w.must("app", merge, vars{"p": pid(p), "h": p.Head.SHA, "m": "MERGE"})
	if get(t, d, "mergePullRequest", "actor", "login") != "pullbook" || get(t, d, "mergePullRequest", "pullRequest", "mergeCommit", "message") != "Done\n\nAll of it." {
		t.Errorf("%v", d)
	}
	if why := w.refused("app", merge, vars{"p": pid(p), "m": "MERGE"}, "UNPROCESSABLE"); why != "Pull Request is not mergeable" {
		t.Error(why)
	}
}

func TestManyCheckRunsInOneDocument(t *testing.T) {
	w := newWorld(t)
	p := w.pull("app", "acme/ops", "incident/one")
	var doc strings.Builder
	doc.WriteString("mutation($r:ID!,$s:GitObjectID!){")
	for i := range 30 {
		fmt.Fprintf(&doc, `c%d:createCheckRun(input:{repositoryId:$r,headSha:$s,name:"step %d",status:IN_PROGRESS,externalId:"e%d",startedAt:"2026-11-22T08:00:00Z"}){checkRun{id status}} `, i, i, i)
	}
	doc.WriteString("}")
	d := w.must("app", doc.String(), vars{"r": opsID(), "s": p.Head.SHA})
	first := get(t, d, "c0", "checkRun", "id")
	d = w.must("app", `mutation($r:ID!,$c:ID!){updateCheckRun(input:{repositoryId:$r,checkRunId:$c,conclusion:ACTION_REQUIRED,completedAt:"2026-11-22T08:30:00Z",detailsUrl:"http://x.test/",
		output:{title:"T",summary:"S",text:"X",annotations:[{path:"a",message:"m",annotationLevel:WARNING,location:{startLine:1,endLine:2,startColumn:3}}]}})
		{checkRun{name status conclusion completedAt detailsUrl title summary text externalId annotations(first:5){nodes{path message annotationLevel location{start{line column} end{line column}}}}}}}`, vars{"r": opsID(), "c": first})
	want := map[string]any{
		"name": "step 0", "status": "COMPLETED", "conclusion": "ACTION_REQUIRED", "completedAt": "2026-11-22T08:30:00Z", "detailsUrl": "http://x.test/", "title": "T", "summary": "S", "text": "X", "externalId": "e0",
		"annotations": map[string]any{"nodes": []any{map[string]any{"path": "a", "message": "m", "annotationLevel": "WARNING", "location": map[string]any{
			"start": map[string]any{"line": 1., "column": 3.}, "end": map[string]any{"line": 2., "column": nil}}}}},
	}
	if diff := cmp.Diff(want, get(t, d, "updateCheckRun", "checkRun")); diff != "" {
		t.Error(diff)
	}
	d = w.must("app", `{repository(owner:"acme",name:"ops"){object(expression:"incident/one"){... on Commit{statusCheckRollup{state} checkSuites(first:5,filterBy:{appId:7}){totalCount nodes{status app{slug}
		checkRuns(first:1,filterBy:{statuses:[IN_PROGRESS]}){totalCount}}}}}}}`, nil)
	suite := get(t, d, "repository", "object", "checkSuites", "nodes", 0)
	if get(t, suite, "checkRuns", "totalCount") != 29. || get(t, d, "repository", "object", "statusCheckRollup", "state") != "FAILURE" && get(t, d, "repository", "object", "statusCheckRollup", "state") != "PENDING" {
		t.Errorf("%v", d)
	}
	for who, kind := range map[string]string{"alice": "FORBIDDEN", "reader": "FORBIDDEN"} {
		w.refused(who, `mutation($r:ID!,$c:ID!){updateCheckRun(input:{repositoryId:$r,checkRunId:$c,name:"mine"}){checkRun{id}}}`, vars{"r": opsID(), "c": first}, kind)
	}
	if why := w.refused("app", `mutation($r:ID!){createCheckRun(input:{repositoryId:$r,headSha:"`+strings.Repeat("1", 40)+`",name:"x"}){checkRun{id}}}`, vars{"r": opsID()}, "UNPROCESSABLE"); !strings.HasPrefix(why, "No commit found for SHA") {
		t.Error(why)
	}
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestCreateCommitOnBranch(t *testing.T) {
	w := newWorld(t)
	head := w.branch("acme/ops", "fix", map[string]string{"fix": "1\n"})
	const commit = `mutation($in:CreateCommitOnBranchInput!){createCommitOnBranch(input:$in){commit{oid message author{name user{login}} parents(first:1){nodes{oid}}} ref{name target{oid}}}}`
	in := func(branch, expected string, changes any) vars {
		return vars{"in": vars{"branch": vars{"repositoryNameWithOwner": "acme/ops", "branchName": branch}, "expectedHeadOid": expected, "message": vars{"headline": "H", "body": "B"}, "fileChanges": changes}}
	}
	changes := vars{"additions": []any{vars{"path": "run.sh", "contents": encoded("#!/bin/sh\nexit\n")}, vars{"path": "d/new", "contents": encoded("n\x00")}}, "deletions": []any{vars{"path": "fix"}}}
	d := w.must("alice", commit, in("fix", head, changes))
	c := get(t, d, "createCommitOnBranch", "commit")
	if get(t, c, "message") != "H\n\nB" || get(t, c, "author", "user", "login") != "alice" || get(t, c, "parents", "nodes", 0, "oid") != head || get(t, d, "createCommitOnBranch", "ref", "target", "oid") != get(t, c, "oid") {
		t.Errorf("%v", d)
	}
	_, entries, err := w.repos.Find(t.Context(), "acme/ops", get(t, c, "oid").(string), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Mode+" "+e.Path)
	}
	if diff := cmp.Diff([]string{"100644 README.md", "040000 d", "100755 run.sh", "040000 runbooks"}, got); diff != "" {
		t.Error(diff)
	}
	if why := w.refused("alice", commit, in("fix", head, changes), "STALE_DATA"); why != `Expected branch to point to "`+head+`" but it did not.  Pull and try again.` {
		t.Error(why)
	}
	now := w.tip("acme/ops", "fix")
	for _, path := range []string{"../x", "/etc/passwd", "a//b", ".git/config", "a/.GIT/x", "", "a/./b"} {
		w.refused("alice", commit, in("fix", now, vars{"additions": []any{vars{"path": path, "contents": ""}}}), "UNPROCESSABLE")
	}
	w.refused("alice", commit, in("fix", now, vars{"deletions": []any{vars{"path": "gone"}}}), "UNPROCESSABLE")
	w.refused("alice", commit, in("nope", now, changes), "NOT_FOUND")
	w.refused("mallory", commit, in("fix", now, changes), "NOT_FOUND")
	w.branch("acme/ops", "incident/one", map[string]string{"x": "y"})
	if why := w.refused("alice", commit, in("incident/one", w.tip("acme/ops", "incident/one"), vars{"additions": []any{vars{"path": "q", "contents": ""}}}), "UNPROCESSABLE"); !strings.HasPrefix(why, "Repository rule violations found") {
		t.Error(why)
	}
	if w.tip("acme/ops", "fix") != now {
		t.Error("a refused commit moved the branch")
	}
}

func TestRefMutations(t *testing.T) {
	w := newWorld(t)
	main := w.tip("acme/ops", "main")
	next := w.branch("acme/ops", "next", map[string]string{"n": "1\n"})
	const update = `mutation($r:ID!,$u:[RefUpdate!]!){updateRefs(input:{repositoryId:$r,refUpdates:$u}){clientMutationId}}`
	set := func(name, before, after string) vars {
		v := vars{"name": "refs/heads/" + name, "afterOid": after}
		if before != "" {
			v["beforeOid"] = before
		}
		return v
	}
	w.must("alice", update, vars{"r": opsID(), "u": []any{set("a", state.ZeroID, main), set("b", "", next), vars{"name": "refs/tags/v1", "afterOid": main}}})
	for name, u := range map[string][]any{
		"the second is stale":   {set("a", main, next), set("b", main, next)},
		"it exists":             {set("a", main, next), set("b", state.ZeroID, main)},
		"no fast forward":       {set("a", main, next), set("b", next, main)},
		"no such commit":        {set("a", main, next), set("c", "", strings.Repeat("1", 40))},
		"another's branch":      {set("a", main, next), set("incident/x", "", main)},
		"twice":                 {set("a", main, next), set("a", main, next)},
		"not a branch or a tag": {set("a", main, next), vars{"name": "refs/pull/1/head", "afterOid": main}},
		"a bad name":            {set("a", main, next), set("../../config", "", main)},
		"the default branch":    {set("a", main, next), set("main", "", state.ZeroID)},
	} {
		w.refused("alice", update, vars{"r": opsID(), "u": u}, "UNPROCESSABLE")
		if w.tip("acme/ops", "a") != main || w.tip("acme/ops", "b") != next {
			t.Fatalf("%s: something moved", name)
		}
	}
	w.must("alice", update, vars{"r": opsID(), "u": []any{set("a", main, next), set("b", next, state.ZeroID)}})
	if w.tip("acme/ops", "a") != next {
		t.Error("a did not move")
	}
	d := w.must("alice", `mutation($r:ID!,$o:GitObjectID!){createRef(input:{repositoryId:$r,name:"refs/heads/z",oid:$o}){ref{id name}}}`, vars{"r": opsID(), "o": main})
	z := get(t, d, "createRef", "ref", "id")
	d = w.must("alice", `mutation($z:ID!,$o:GitObjectID!){updateRef(input:{refId:$z,oid:$o}){ref{target{oid}}}}`, vars{"z": z, "o": next})
	if get(t, d, "updateRef", "ref", "target", "oid") != next {
		t.Errorf("%v", d)
	}
	w.must("alice", `mutation($z:ID!){deleteRef(input:{refId:$z}){clientMutationId}}`, vars{"z": z})
	w.refused("alice", `mutation($z:ID!){deleteRef(input:{refId:$z}){clientMutationId}}`, vars{"z": z}, "NOT_FOUND")
	w.refused("alice", `mutation($z:ID!){deleteRef(input:{refId:$z}){clientMutationId}}`, vars{"z": string(refID("acme/ops", "refs/heads/main"))}, "UNPROCESSABLE")
}

// A pending review is its author's alone until it is submitted: nobody else finds it, and it decides nothing.
func TestPendingReviews(t *testing.T) {
	w := newWorld(t)
	p := w.incident()
	const begin = `mutation($p:ID!){addPullRequestReview(input:{pullRequestId:$p,body:"soon"}){pullRequestReview{id state submittedAt}}}`
	const submit = `mutation($p:ID,$r:ID,$e:PullRequestReviewEvent!){submitPullRequestReview(input:{pullRequestId:$p,pullRequestReviewId:$r,event:$e}){pullRequestReview{id state body}}}`
	const drop = `mutation($r:ID!){deletePullRequestReview(input:{pullRequestReviewId:$r}){pullRequestReview{state}}}`
	start := func() any {
		d := w.must("bob", begin, vars{"p": pid(p)})
		if get(t, d, "addPullRequestReview", "pullRequestReview", "state") != "PENDING" || get(t, d, "addPullRequestReview", "pullRequestReview", "submittedAt") != nil {
			t.Errorf("%v", d)
		}
		return get(t, d, "addPullRequestReview", "pullRequestReview", "id")
	}
	id := start()
	w.refused("bob", begin, vars{"p": pid(p)}, "UNPROCESSABLE")
	w.refused("alice", submit, vars{"r": id, "e": "APPROVE"}, "NOT_FOUND")
	w.refused("alice", submit, vars{"p": pid(p), "e": "APPROVE"}, "NOT_FOUND")
	w.refused("alice", drop, vars{"r": id}, "NOT_FOUND")
	w.refused("bob", submit, vars{"e": "APPROVE"}, "ARGUMENT_ERROR")
	list, err := w.store.Reviews("acme/ops", p.Number)
	if err != nil || len(list) != 0 {
		t.Fatalf("a pending review counts: %v %v", list, err)
	}
	w.must("bob", `mutation($r:ID!){updatePullRequestReview(input:{pullRequestReviewId:$r,body:"now"}){pullRequestReview{body}}}`, vars{"r": id})
	w.must("bob", drop, vars{"r": id})
	w.refused("bob", submit, vars{"r": id, "e": "APPROVE"}, "NOT_FOUND")
	id = start()
	d := w.must("bob", submit, vars{"p": pid(p), "e": "APPROVE"})
	if get(t, d, "submitPullRequestReview", "pullRequestReview", "id") != id || get(t, d, "submitPullRequestReview", "pullRequestReview", "state") != "APPROVED" ||
		get(t, d, "submitPullRequestReview", "pullRequestReview", "body") != "soon" {
		t.Errorf("%v", d)
	}
	w.refused("bob", drop, vars{"r": id}, "UNPROCESSABLE")
}
