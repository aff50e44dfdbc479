package graphql

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// rich is a pull request with something of everything.
func (w *world) rich() *state.Pull {
	w.t.Helper()
	p := w.incident()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	_, err := w.store.CreateReview(w.actor("alice"), "acme/ops", p.Number, state.NewReview{Event: "COMMENT", Body: "reading"})
	must(err)
	_, err = w.store.CreateReview(w.actor("alice"), "acme/ops", p.Number, state.NewReview{Event: "APPROVE", Body: "/approve"})
	must(err)
	v, err := w.store.CreateReview(w.actor("bob"), "acme/ops", p.Number, state.NewReview{Event: "REQUEST_CHANGES", Body: "no"})
	must(err)
	_, err = w.store.EditReview(w.actor("bob"), "acme/ops", p.Number, v.ID, "no, please")
	must(err)
	_, err = w.store.RequestReviewers(w.actor("app"), "acme/ops", p.Number, state.Reviewers{Teams: []string{"sre"}}) // the first request is answered
	must(err)
	_, err = w.store.AddLabels(w.actor("bob"), "acme/ops", p.Number, []string{"sev1", "database"})
	must(err)
	_, err = w.store.Assign(w.actor("bob"), "acme/ops", p.Number, []string{"alice"})
	must(err)
	_, err = w.store.AddStatus(w.actor("app"), "acme/ops", state.Status{SHA: p.Head.SHA, State: "success", Context: "ci", TargetURL: "http://ci.test/1"})
	must(err)
	p, err = w.store.Pull("acme/ops", p.Number)
	must(err)
	return p
}

func TestPullRequestFields(t *testing.T) {
	w := newWorld(t)
	p := w.rich()
	for _, c := range []struct{ field, want string }{
		{`number`, `1`}, {`title`, `"Title of incident/one"`}, {`body`, `"Body"`}, {`state`, `"OPEN"`}, {`isDraft`, `false`}, {`closed`, `false`},
		{`author{__typename login ... on Bot{databaseId}}`, fmt.Sprintf(`{"__typename":"Bot","login":"pullbook","databaseId":%d}`, p.Author.ID)},
		{`url`, `"http://hub.test/acme/ops/pull/1"`}, {`resourcePath`, `"/acme/ops/pull/1"`}, {`createdAt`, `"2026-11-22T09:00:00Z"`},
		{`closedAt`, `null`}, {`mergedAt`, `null`}, {`mergedBy{login}`, `null`}, {`mergeCommit{oid}`, `null`}, {`lastEditedAt`, `null`},
		{`mergeable`, `"MERGEABLE"`}, {`mergeStateStatus`, `"CLEAN"`}, {`reviewDecision`, `"CHANGES_REQUESTED"`},
		{`baseRefName`, `"main"`}, {`headRefName`, `"incident/one"`}, {`headRefOid`, `"` + p.Head.SHA + `"`}, {`baseRefOid`, `"` + p.Base.SHA + `"`},
		{`headRepository{nameWithOwner} headRepositoryOwner{__typename login}`, ``},
		{`isCrossRepository`, `false`}, {`additions`, `2`}, {`deletions`, `0`}, {`changedFiles`, `1`}, {`totalCommentsCount`, `1`},
		{`fullDatabaseId`, fmt.Sprintf(`"%d"`, p.ID)}, {`databaseId`, fmt.Sprint(p.ID)},
		{`files(first:10){nodes{path additions deletions changeType}}`, `{"nodes":[{"path":"incident/one.txt","additions":2,"deletions":0,"changeType":"ADDED"}]}`},
		{`labels(first:10,orderBy:{field:NAME,direction:ASC}){nodes{name} totalCount}`, `{"nodes":[{"name":"database"},{"name":"sev1"}],"totalCount":2}`},
		{`assignees(first:1){nodes{login name}}`, `{"nodes":[{"login":"alice","name":"Alice"}]}`},
		{`reviews(first:10,states:[APPROVED,CHANGES_REQUESTED]){nodes{state body author{login} authorAssociation lastEditedAt includesCreatedEdit commit{oid} onBehalfOf(first:5){nodes{slug}}}}`,
			`{"nodes":[{"state":"APPROVED","body":"/approve","author":{"login":"alice"},"authorAssociation":"MEMBER","lastEditedAt":null,"includesCreatedEdit":false,"commit":{"oid":"` + p.Head.SHA + `"},"onBehalfOf":{"nodes":[{"slug":"sre"}]}},` +
				`{"state":"CHANGES_REQUESTED","body":"no, please","author":{"login":"bob"},"authorAssociation":"MEMBER","lastEditedAt":"2026-11-22T09:00:00Z","includesCreatedEdit":true,"commit":{"oid":"` + p.Head.SHA + `"},"onBehalfOf":{"nodes":[{"slug":"sre"}]}}]}`},
		{`latestReviews(first:10){nodes{state}}`, `{"nodes":[{"state":"APPROVED"},{"state":"CHANGES_REQUESTED"}]}`},
		{`latestOpinionatedReviews(first:10,writersOnly:true){totalCount}`, `{"totalCount":2}`},
		{`reviewRequests(first:10){nodes{asCodeOwner requestedReviewer{__typename ... on User{login} ... on Team{slug organization{login}}}}}`,
			`{"nodes":[{"asCodeOwner":false,"requestedReviewer":{"__typename":"Team","slug":"sre","organization":{"login":"acme"}}}]}`},
		{`comments(last:1){nodes{body author{login} isMinimized viewerDidAuthor lastEditedAt} totalCount}`,
			`{"nodes":[{"body":"I am on it","author":{"login":"bob"},"isMinimized":false,"viewerDidAuthor":false,"lastEditedAt":null}],"totalCount":1}`},
		{`statusCheckRollup{state contexts(first:10){checkRunCount statusContextCount nodes{__typename ... on CheckRun{name status conclusion isRequired(pullRequestNumber:1) detailsUrl checkSuite{app{slug} workflowRun{workflow{name}}}} ... on StatusContext{context state targetUrl isRequired(pullRequestNumber:1)}}}}`, ``},
		{`commits(last:1){totalCount nodes{commit{oid messageHeadline messageBody parents(first:3){nodes{oid}} authors(first:5){nodes{name user{login}}}}}}`,
			`{"totalCount":1,"nodes":[{"commit":{"oid":"` + p.Head.SHA + `","messageHeadline":"Change","messageBody":"With a body.","parents":{"nodes":[{"oid":"` + p.Base.SHA + `"}]},"authors":{"nodes":[{"name":"pullbook[bot]","user":{"login":"pullbook[bot]"}}]}}}]}`},
		{`projectCards(first:1){totalCount nodes{project{name} column{name}}}`, `{"totalCount":0,"nodes":[]}`},
		{`projectItems(first:1){totalCount}`, `{"totalCount":0}`}, {`milestone{title}`, `null`}, {`autoMergeRequest{enabledAt}`, `null`},
		{`closingIssuesReferences(first:1){nodes{number}}`, `{"nodes":[]}`}, {`reviewThreads(first:1){nodes{isResolved}}`, `{"nodes":[]}`},
		{`timelineItems(first:10,itemTypes:[PULL_REQUEST_REVIEW,ISSUE_COMMENT]){filteredCount nodes{__typename}}`,
			`{"filteredCount":4,"nodes":[{"__typename":"IssueComment"},{"__typename":"PullRequestReview"},{"__typename":"PullRequestReview"},{"__typename":"PullRequestReview"}]}`},
		{`viewerMergeHeadlineText(mergeType:MERGE)`, `"Merge pull request #1 from acme/incident/one"`}, {`maintainerCanModify`, `false`}, {`viewerDidAuthor`, `false`},
		{`baseRef{name branchProtectionRule{requiresStatusChecks requiredStatusCheckContexts requiresStrictStatusChecks}}`,
			`{"name":"main","branchProtectionRule":{"requiresStatusChecks":true,"requiredStatusCheckContexts":["pullbook"],"requiresStrictStatusChecks":false}}`},
	} {
		d := w.must("alice", `{repository(owner:"acme",name:"ops"){pullRequest(number:1){`+c.field+`}}}`, nil)
		got := get(t, d, "repository", "pullRequest")
		if c.want == "" {
			if text, _ := json.Marshal(got); strings.Contains(string(text), ":null,") {
				t.Errorf("%s: %s", c.field, text)
			}
			continue
		}
		name, _, _ := strings.Cut(c.field, "{")
		name, _, _ = strings.Cut(name, "(")
		var want any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, get(t, got, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.field, diff)
		}
	}
}

func TestRollupNamesChecksAndStatuses(t *testing.T) {
	w := newWorld(t)
	w.rich()
	d := w.must("alice", `{repository(owner:"acme",name:"ops"){pullRequest(number:1){statusCheckRollup{state contexts(first:10){checkRunCount statusContextCount
		nodes{__typename ... on CheckRun{name conclusion isRequired(pullRequestNumber:1)} ... on StatusContext{context state targetUrl isRequired(pullRequestNumber:1)}}}}}}}`, nil)
	want := map[string]any{"state": "SUCCESS", "contexts": map[string]any{"checkRunCount": 1., "statusContextCount": 1., "nodes": []any{
		map[string]any{"__typename": "CheckRun", "name": "pullbook", "conclusion": "SUCCESS", "isRequired": true},
		map[string]any{"__typename": "StatusContext", "context": "ci", "state": "SUCCESS", "targetUrl": "http://ci.test/1", "isRequired": false},
	}}}
	if diff := cmp.Diff(want, get(t, d, "repository", "pullRequest", "statusCheckRollup")); diff != "" {
		t.Error(diff)
	}
}

func TestMergedPullRequest(t *testing.T) {
	w := newWorld(t)
	p := w.incident()
	w.must("alice", `mutation($id:ID!){mergePullRequest(input:{pullRequestId:$id}){pullRequest{id}}}`, vars{"id": string(numberID("PullRequest", p.ID))})
	d := w.must("alice", `{repository(owner:"acme",name:"ops"){pullRequest(number:1){state merged closed mergedBy{login} mergeable mergeStateStatus mergeCommit{oid
		committedViaWeb parents(first:2){nodes{oid}} associatedPullRequests(first:5){nodes{number}}} commits(first:1){nodes{commit{associatedPullRequests(first:5){nodes{number}}}}}}}}`, nil)
	got := get(t, d, "repository", "pullRequest")
	if get(t, got, "state") != "MERGED" || get(t, got, "mergedBy", "login") != "alice" || get(t, got, "mergeStateStatus") != "UNKNOWN" {
		t.Errorf("%v", got)
	}
	if get(t, got, "mergeCommit", "parents", "nodes", 1, "oid") != p.Head.SHA || get(t, got, "mergeCommit", "committedViaWeb") != true {
		t.Errorf("merge commit: %v", got)
	}
	if get(t, got, "commits", "nodes", 0, "commit", "associatedPullRequests", "nodes", 0, "number") != 1. {
		t.Errorf("the commit's pull request: %v", got)
	}
}

func TestRepositoryFields(t *testing.T) {
	w := newWorld(t)
	w.incident()
	d := w.must("bob", `{viewer{login isViewer} user(login:"alice"){name email} repositoryOwner(login:"acme"){__typename id}
		repository(owner:"ACME",name:"Ops"){nameWithOwner viewerPermission isPrivate visibility isInOrganization isEmpty parent{id} hasIssuesEnabled
		mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed sshUrl url defaultBranchRef{name prefix target{__typename oid ... on Commit{history(first:1){totalCount}}}}
		ref(qualifiedName:"main"){id} gone:ref(qualifiedName:"refs/heads/nope"){id} refs(refPrefix:"refs/heads/",first:10){nodes{name}}
		file:object(expression:"main:README.md"){__typename ... on Blob{text byteSize isBinary}} dir:object(expression:"HEAD:runbooks"){... on Tree{entries{name path type mode object{... on Blob{text}}}}}
		none:object(expression:"main:nope"){id} issueOrPullRequest(number:1){__typename ... on PullRequest{number}}
		collaborators(first:10,query:"ali"){edges{permission} nodes{login}} assignableUsers(first:10){nodes{login}} labels(first:1){totalCount} watchers{totalCount} issues(states:OPEN){totalCount}
		pullRequests(states:OPEN){totalCount}}}`, nil)
	r := get(t, d, "repository")
	for path, want := range map[string]any{
		"nameWithOwner": "acme/ops", "viewerPermission": "WRITE", "isPrivate": true, "visibility": "PRIVATE", "isEmpty": false, "parent": nil, "gone": nil, "none": nil,
		"sshUrl": "git@hub.test:acme/ops.git", "squashMergeAllowed": false, "mergeCommitAllowed": true,
		"defaultBranchRef.name": "main", "defaultBranchRef.target.history.totalCount": 1., "file.text": "# Ops\n\nRead me.\n", "file.byteSize": 16.,
		"issueOrPullRequest.__typename": "PullRequest", "pullRequests.totalCount": 1.,
	} {
		var steps []any
		for s := range strings.SplitSeq(path, ".") {
			steps = append(steps, s)
		}
		if got := get(t, r, steps...); got != want {
			t.Errorf("%s is %v, not %v", path, got, want)
		}
	}
	want := []any{map[string]any{"name": "a.cue", "path": "runbooks/a.cue", "type": "blob", "mode": float64(0o100644), "object": map[string]any{"text": "a: 1\n"}}}
	if diff := cmp.Diff(want, get(t, r, "dir", "entries")); diff != "" {
		t.Error(diff)
	}
	if get(t, r, "collaborators", "edges", 0, "permission") != "WRITE" || get(t, r, "collaborators", "nodes", 0, "login") != "alice" {
		t.Errorf("collaborators: %v", get(t, r, "collaborators"))
	}
}

func TestBlameNamesPeopleAndPullRequests(t *testing.T) {
	w := newWorld(t)
	w.branch("acme/ops", "fix", map[string]string{"README.md": "# Ops\n\nRead me, please.\n"})
	d := w.must("bob", `mutation($r:ID!){createPullRequest(input:{repositoryId:$r,baseRefName:"main",headRefName:"fix",title:"Fix"}){pullRequest{id number}}}`, vars{"r": string(numberID("Repository", 401))})
	w.must("app", `mutation($r:ID!,$s:GitObjectID!){createCheckRun(input:{repositoryId:$r,headSha:$s,name:"pullbook",conclusion:SUCCESS}){checkRun{id}}}`,
		vars{"r": string(numberID("Repository", 401)), "s": w.tip("acme/ops", "fix")})
	w.must("bob", `mutation($id:ID!){mergePullRequest(input:{pullRequestId:$id}){clientMutationId}}`, vars{"id": get(t, d, "createPullRequest", "pullRequest", "id")})
	d = w.must("app", `{repository(owner:"acme",name:"ops"){object(expression:"main"){... on Commit{blame(path:"README.md"){ranges{startingLine endingLine age
		commit{oid author{name user{databaseId login}} associatedPullRequests(first:1){nodes{number author{login}}}}}}}}}}`, nil)
	ranges := get(t, d, "repository", "object", "blame", "ranges")
	if len(ranges.([]any)) != 2 {
		t.Fatalf("%v", ranges)
	}
	if get(t, ranges, 0, "endingLine") != 2. || get(t, ranges, 0, "commit", "author", "user", "databaseId") != 101. || len(get(t, ranges, 0, "commit", "associatedPullRequests", "nodes").([]any)) != 0 {
		t.Errorf("the old lines: %v", get(t, ranges, 0))
	}
	if get(t, ranges, 1, "startingLine") != 3. || get(t, ranges, 1, "commit", "author", "user", "login") != "carol" || get(t, ranges, 1, "commit", "associatedPullRequests", "nodes", 0, "author", "login") != "bob" {
		t.Errorf("the new line: %v", get(t, ranges, 1))
	}
	w.refused("app", `{repository(owner:"acme",name:"ops"){object(expression:"main"){... on Commit{blame(path:"nope"){ranges{age}}}}}}`, nil, "NOT_FOUND")
	w.refused("app", `{repository(owner:"acme",name:"ops"){object(expression:"main"){... on Commit{blame(path:"../../x"){ranges{age}}}}}}`, nil, "NOT_FOUND")
}

func TestNodesAreThoseOfREST(t *testing.T) {
	w := newWorld(t)
	p := w.rich()
	comments, _ := w.store.Comments("acme/ops", 1)
	reviews, _ := w.store.Reviews("acme/ops", 1)
	runs, _ := w.store.Runs("acme/ops", p.Head.SHA, state.RunFilter{})
	suites, _ := w.store.Suites("acme/ops", p.Head.SHA)
	team, _ := w.store.Team("acme", "sre")
	repo, _ := w.store.Repo("acme/ops")
	app, _ := w.store.App(7)
	host := wire.Host("http://hub.test")
	for kind, id := range map[string]any{
		"PullRequest": host.PullItem(p)["node_id"], "IssueComment": host.Comment(repo, comments[0])["node_id"], "PullRequestReview": host.Review(p, reviews[0], false)["node_id"],
		"CheckRun": host.Run(repo, runs[0])["node_id"], "CheckSuite": host.Suite(repo, suites[0])["node_id"], "Team": host.Team(team)["node_id"], "Repository": host.Repo(repo)["node_id"],
		"User": host.User(w.actor("alice").User)["node_id"], "Bot": host.User(app.Bot)["node_id"], "Organization": host.Organization(repo.Owner)["node_id"],
		"App": host.App(*app)["node_id"], "Label": host.Labels(repo, p.Labels)[0]["node_id"], "Ref": string(refID("acme/ops", "refs/heads/main")), "Commit": "C_" + p.Head.SHA,
	} {
		d := w.must("alice", `query($id:ID!){node(id:$id){__typename id}}`, vars{"id": id})
		if diff := cmp.Diff(map[string]any{"__typename": kind, "id": id}, get(t, d, "node")); diff != "" {
			t.Error(diff)
		}
	}
	d := w.must("alice", `query($id:ID!){node(id:$id){__typename ... on PullRequest{number}}}`, vars{"id": host.Issue(p)["node_id"]})
	if get(t, d, "node", "number") != 1. {
		t.Errorf("the pull request's issue: %v", d)
	}
	d = w.must("alice", `query($ids:[ID!]!){nodes(ids:$ids){__typename}}`, vars{"ids": []any{host.User(app.Bot)["node_id"], "nonsense"}})
	if diff := cmp.Diff([]any{map[string]any{"__typename": "Bot"}, nil}, get(t, d, "nodes")); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"", "C_zz", "MDA0", "MTE6UHVsbFJlcXVlc3Q=", string(numberID("PullRequest", 1)), string(numberID("Nothing", 1)), string(refID("acme/secret", "refs/heads/main")), string(numberID("Repository", 402))} {
		if why := w.refused("alice", `query($id:ID!){node(id:$id){id}}`, vars{"id": id}, "NOT_FOUND"); why != "Could not resolve to a node with the global id of '"+id+"'." {
			t.Error(why)
		}
	}
}

// Issues are listed apart from pull requests, with which they share their numbers.
func TestIssues(t *testing.T) {
	w := newWorld(t)
	w.incident()
	text := func(s string) *string { return &s }
	for _, title := range []string{"First", "Second"} {
		_, err := w.store.CreateIssue(w.actor("alice"), "acme/ops", state.IssueInput{Title: &title, Labels: &[]string{title}, Assignees: &[]string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.store.EditIssue(w.actor("alice"), "acme/ops", 2, state.IssueInput{State: text("closed"), Reason: text("completed")}); err != nil {
		t.Fatal(err)
	}
	d := w.must("alice", `{repository(owner:"acme",name:"ops"){
		all:issues(first:5,orderBy:{field:CREATED_AT,direction:DESC}){totalCount nodes{number title state stateReason labels(first:5){nodes{name}} assignees(first:5){nodes{login}}}}
		open:issues(first:5,states:OPEN,filterBy:{assignee:"bob",createdBy:"alice"}){nodes{number}} mine:issues(first:5,filterBy:{mentioned:"bob"}){totalCount}
		issue(number:2){id title closed} one:issueOrPullRequest(number:1){__typename} three:issueOrPullRequest(number:3){__typename}}}`, nil)
	r := get(t, d, "repository")
	if get(t, r, "all", "totalCount") != 2. || get(t, r, "all", "nodes", 0, "number") != 3. || get(t, r, "all", "nodes", 1, "stateReason") != "COMPLETED" ||
		get(t, r, "all", "nodes", 1, "labels", "nodes", 0, "name") != "First" || get(t, r, "all", "nodes", 0, "assignees", "nodes", 0, "login") != "bob" {
		t.Errorf("all: %v", get(t, r, "all"))
	}
	if list := get(t, r, "open", "nodes").([]any); len(list) != 1 || get(t, r, "mine", "totalCount") != 0. || get(t, r, "issue", "closed") != true ||
		get(t, r, "one", "__typename") != "PullRequest" || get(t, r, "three", "__typename") != "Issue" {
		t.Errorf("%v", r)
	}
	d = w.must("alice", `query($id:ID!){node(id:$id){... on Issue{title}}}`, vars{"id": get(t, r, "issue", "id")})
	if get(t, d, "node", "title") != "First" {
		t.Errorf("by its id: %v", d)
	}
	w.refused("alice", `{repository(owner:"acme",name:"ops"){issue(number:1){id}}}`, nil, "NOT_FOUND")
}
