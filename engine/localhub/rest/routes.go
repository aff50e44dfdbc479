package rest

import "github.com/pullbook/pullbook/engine/localhub/state"

// A Route is one endpoint.
type Route struct {
	Method string
	Path   string // below Prefix
	Access Access
	Do     func(*call) (reply, error)
}

type caller int

const (
	anyone    caller = iota
	person           // a user's or an installation's token
	jwtOnly          // an App as itself
	jwtToo           // anyone, or an App as itself
	tokenOnly        // an installation token
)

// Access is who may call a route. Below /repos the state checks apps and role besides.
type Access struct {
	who  caller
	apps []string
	role state.Role
}

var (
	open         = Access{who: jwtToo}
	signedIn     = Access{who: person}
	asApp        = Access{who: jwtOnly}
	asInstall    = Access{who: tokenOnly}
	appFindsRepo = Access{who: jwtOnly, role: state.Read}
)

func reads(apps ...string) Access { return Access{apps: apps, role: state.Read} }

// writes asks a person to be signed in; that they may read is enough for what everybody may do on GitHub, such as
// commenting.
func writes(role state.Role, apps ...string) Access {
	return Access{who: person, apps: apps, role: role}
}

// App permissions, as one endpoint may accept any of.
const (
	contentsRead  = "contents:read"
	contentsWrite = "contents:write"
	pullsRead     = "pull_requests:read"
	pullsWrite    = "pull_requests:write"
	issuesRead    = "issues:read"
	issuesWrite   = "issues:write"
	checksRead    = "checks:read"
	checksWrite   = "checks:write"
	metaRead      = "metadata:read"
	adminRead     = "administration:read"
	adminWrite    = "administration:write"
	deployRead    = "deployments:read"
	deployWrite   = "deployments:write"
	actionsRead   = "actions:read"
	actionsWrite  = "actions:write"
	codeRead      = "security_events:read"
	codeWrite     = "security_events:write"
	secretsRead   = "secret_scanning_alerts:read"
	secretsWrite  = "secret_scanning_alerts:write"
)

const inRepo = "/repos/{owner}/{repo}"

// Routes is the table of endpoints; the first row that matches answers.
func Routes() []Route {
	var all []Route
	for _, part := range [][]Route{hubRoutes(), appRoutes(), repoRoutes(), pullRoutes(), issueRoutes(), labelRoutes(), checkRoutes(),
		ruleRoutes(), deployRoutes(), actionRoutes(), alertRoutes()} {
		all = append(all, part...)
	}
	return all
}

func hubRoutes() []Route {
	return []Route{
		{"GET", "/", open, getRoot},
		{"GET", "/meta", open, getMeta},
		{"GET", "/rate_limit", open, getRateLimit},
		{"GET", "/zen", open, getZen},
		{"GET", "/user", signedIn, getSelf},
		{"GET", "/user/repos", signedIn, listOwnRepos},
		{"GET", "/user/orgs", signedIn, listOwnOrgs},
		{"GET", "/user/teams", signedIn, listOwnTeams},
		{"GET", "/user/{id}", open, getUserByID},
		{"GET", "/users/{login}", open, getUser},
		{"GET", "/orgs/{org}", open, getOrg},
		{"GET", "/users/{login}/repos", open, listUserRepos},
		{"GET", "/users/{login}/orgs", open, listUserOrgs},
		{"GET", "/orgs/{org}/repos", open, listOrgRepos},
		{"GET", "/orgs/{org}/members", signedIn, listOrgMembers},
		{"GET", "/orgs/{org}/members/{login}", signedIn, checkOrgMember},
		{"GET", "/orgs/{org}/memberships/{login}", signedIn, getOrgMembership},
		{"GET", "/orgs/{org}/installations", signedIn, listOrgInstallations},
		{"GET", "/orgs/{org}/teams", signedIn, listTeams},
		{"GET", "/orgs/{org}/teams/{slug}", signedIn, getTeam},
		{"GET", "/orgs/{org}/teams/{slug}/members", signedIn, listMembers},
		{"GET", "/orgs/{org}/teams/{slug}/memberships/{login}", signedIn, getMembership},
		{"PUT", "/orgs/{org}/teams/{slug}/memberships/{login}", signedIn, putMembership},
		{"DELETE", "/orgs/{org}/teams/{slug}/memberships/{login}", signedIn, deleteMembership},
		{"GET", "/orgs/{org}/teams/{slug}/repos", signedIn, listTeamRepos},
		{"GET", "/orgs/{org}/teams/{slug}/repos/{owner}/{repo}", reads(metaRead), checkTeamRepo},
		{"GET", "/search/issues", open, searchIssues},
	}
}

func appRoutes() []Route {
	return []Route{
		{"GET", "/app", asApp, getApp},
		{"GET", "/app/installations", asApp, listInstallations},
		{"GET", "/app/installations/{id}", asApp, getInstallation},
		{"DELETE", "/app/installations/{id}", asApp, deleteInstallation},
		{"PUT", "/app/installations/{id}/suspended", asApp, suspendInstallation},
		{"DELETE", "/app/installations/{id}/suspended", asApp, unsuspendInstallation},
		{"PUT", "/user/installations/{id}/repositories/{repository}", signedIn, addInstallationRepo},
		{"DELETE", "/user/installations/{id}/repositories/{repository}", signedIn, removeInstallationRepo},
		{"POST", "/app/installations/{id}/access_tokens", asApp, createToken},
		{"GET", "/app/hook/config", asApp, getHook},
		{"PATCH", "/app/hook/config", asApp, updateHook},
		{"GET", "/app/hook/deliveries", asApp, listDeliveries},
		{"GET", "/app/hook/deliveries/{id}", asApp, getDelivery},
		{"POST", "/app/hook/deliveries/{id}/attempts", asApp, redeliver},
		{"GET", "/apps/{slug}", open, getAppBySlug},
		{"GET", "/installation/repositories", asInstall, listInstallationRepos},
		{"DELETE", "/installation/token", asInstall, revokeToken},
		{"GET", inRepo + "/installation", appFindsRepo, getRepoInstallation},
		{"GET", "/orgs/{org}/installation", asApp, getOrgInstallation},
		{"GET", "/users/{login}/installation", asApp, getUserInstallation},
		{"POST", "/app-manifests/{code}/conversions", open, convertManifest},
	}
}

func repoRoutes() []Route {
	return []Route{
		{"GET", inRepo, reads(metaRead), getRepo},
		{"PATCH", inRepo, writes(state.Admin, adminWrite), updateRepo},
		{"GET", inRepo + "/teams", writes(state.Admin, adminRead), listRepoTeams},
		{"GET", inRepo + "/branches", reads(contentsRead), listBranches},
		{"GET", inRepo + "/branches/{branch...}/protection", writes(state.Admin, adminRead), getProtection},
		{"PUT", inRepo + "/branches/{branch...}/protection", writes(state.Admin, adminWrite), putProtection},
		{"DELETE", inRepo + "/branches/{branch...}/protection", writes(state.Admin, adminWrite), deleteProtection},
		{"GET", inRepo + "/branches/{branch...}", reads(contentsRead), getBranch},
		{"GET", inRepo + "/tags", reads(contentsRead), listTags},
		{"GET", inRepo + "/collaborators", writes(state.Write, metaRead), listCollaborators},
		{"GET", inRepo + "/collaborators/{login}", writes(state.Write, metaRead), checkCollaborator},
		{"GET", inRepo + "/collaborators/{login}/permission", writes(state.Read, metaRead), getPermission},
		{"GET", inRepo + "/readme", reads(contentsRead), getReadme},
		{"GET", inRepo + "/contents", reads(contentsRead), getContents},
		{"GET", inRepo + "/contents/{path...}", reads(contentsRead), getContents},
		{"PUT", inRepo + "/contents/{path...}", writes(state.Write, contentsWrite), putContents},
		{"DELETE", inRepo + "/contents/{path...}", writes(state.Write, contentsWrite), deleteContents},
		{"POST", inRepo + "/git/blobs", writes(state.Write, contentsWrite), createBlob},
		{"GET", inRepo + "/git/blobs/{sha}", reads(contentsRead), getBlob},
		{"POST", inRepo + "/git/trees", writes(state.Write, contentsWrite), createTree},
		{"GET", inRepo + "/git/trees/{ref...}", reads(contentsRead), getTree},
		{"POST", inRepo + "/git/commits", writes(state.Write, contentsWrite), createGitCommit},
		{"GET", inRepo + "/git/commits/{sha}", reads(contentsRead), getGitCommit},
		{"POST", inRepo + "/git/tags", writes(state.Write, contentsWrite), createTag},
		{"GET", inRepo + "/git/tags/{sha}", reads(contentsRead), getTag},
		{"GET", inRepo + "/git/ref/{ref...}", reads(contentsRead), getRef},
		{"GET", inRepo + "/git/matching-refs/{ref...}", reads(contentsRead), listRefs},
		{"POST", inRepo + "/git/refs", writes(state.Write, contentsWrite), createRef},
		{"PATCH", inRepo + "/git/refs/{ref...}", writes(state.Write, contentsWrite), updateRef},
		{"DELETE", inRepo + "/git/refs/{ref...}", writes(state.Write, contentsWrite), deleteRef},
		{"GET", inRepo + "/commits", reads(contentsRead), listCommits},
		{"GET", inRepo + "/commits/{sha}/pulls", reads(pullsRead), listCommitPulls},
		{"GET", inRepo + "/commits/{sha}/branches-where-head", reads(contentsRead), listCommitHeads},
		{"GET", inRepo + "/commits/{ref...}/check-runs", reads(checksRead), listRuns},
		{"GET", inRepo + "/commits/{ref...}/check-suites", reads(checksRead), listSuites},
		{"GET", inRepo + "/commits/{ref...}/status", reads("statuses:read"), getCombinedStatus},
		{"GET", inRepo + "/commits/{ref...}/statuses", reads("statuses:read"), listStatuses},
		{"GET", inRepo + "/commits/{ref...}", reads(contentsRead), getCommit},
		{"GET", inRepo + "/compare/{basehead...}", reads(contentsRead), compare},
		{"POST", inRepo + "/dispatches", writes(state.Write, contentsWrite), dispatch},
	}
}

func pullRoutes() []Route {
	const one = inRepo + "/pulls/{number}"
	return []Route{
		{"GET", inRepo + "/pulls", reads(pullsRead), listPulls},
		{"POST", inRepo + "/pulls", writes(state.Read, pullsWrite), createPull},
		{"GET", inRepo + "/pulls/comments", reads(pullsRead), listAllRemarks},
		{"GET", inRepo + "/pulls/comments/{id}", reads(pullsRead), getRemark},
		{"PATCH", inRepo + "/pulls/comments/{id}", writes(state.Read, pullsWrite), updateRemark},
		{"DELETE", inRepo + "/pulls/comments/{id}", writes(state.Read, pullsWrite), deleteRemark},
		{"GET", one, reads(pullsRead), getPull},
		{"PATCH", one, writes(state.Read, pullsWrite), updatePull},
		{"GET", one + "/commits", reads(pullsRead), listPullCommits},
		{"GET", one + "/files", reads(pullsRead), listPullFiles},
		{"GET", one + "/comments", reads(pullsRead), listRemarks},
		{"POST", one + "/comments", writes(state.Read, pullsWrite), createRemark},
		{"POST", one + "/comments/{id}/replies", writes(state.Read, pullsWrite), replyRemark},
		{"PUT", one + "/update-branch", writes(state.Write, pullsWrite), updateBranch},
		{"GET", one + "/merge", reads(pullsRead), isMerged},
		{"PUT", one + "/merge", writes(state.Write, contentsWrite), mergePull},
		{"GET", one + "/reviews", reads(pullsRead), listReviews},
		{"POST", one + "/reviews", writes(state.Read, pullsWrite), createReview},
		{"GET", one + "/reviews/{id}", reads(pullsRead), getReview},
		{"PUT", one + "/reviews/{id}", writes(state.Read, pullsWrite), updateReview},
		{"DELETE", one + "/reviews/{id}", writes(state.Read, pullsWrite), dropReview},
		{"POST", one + "/reviews/{id}/events", writes(state.Read, pullsWrite), submitReview},
		{"GET", one + "/reviews/{id}/comments", reads(pullsRead), listReviewRemarks},
		{"PUT", one + "/reviews/{id}/dismissals", writes(state.Write, pullsWrite), dismissReview},
		{"GET", one + "/requested_reviewers", reads(pullsRead), listReviewers},
		{"POST", one + "/requested_reviewers", writes(state.Triage, pullsWrite), requestReviewers},
		{"DELETE", one + "/requested_reviewers", writes(state.Triage, pullsWrite), removeReviewers},
	}
}

func issueRoutes() []Route {
	const one = inRepo + "/issues/{number}"
	return []Route{
		{"GET", inRepo + "/issues", reads(issuesRead), listIssues},
		{"POST", inRepo + "/issues", writes(state.Read, issuesWrite), createIssue},
		{"GET", inRepo + "/issues/comments", reads(issuesRead, pullsRead), listAllComments},
		{"GET", inRepo + "/issues/comments/{id}", reads(issuesRead, pullsRead), getComment},
		{"PATCH", inRepo + "/issues/comments/{id}", writes(state.Read, issuesWrite, pullsWrite), updateComment},
		{"DELETE", inRepo + "/issues/comments/{id}", writes(state.Read, issuesWrite, pullsWrite), deleteComment},
		{"GET", inRepo + "/issues/comments/{id}/reactions", reads(issuesRead, pullsRead), listReactions},
		{"POST", inRepo + "/issues/comments/{id}/reactions", writes(state.Read, issuesWrite, pullsWrite), createReaction},
		{"DELETE", inRepo + "/issues/comments/{id}/reactions/{reaction}", writes(state.Read, issuesWrite, pullsWrite), deleteReaction},
		{"GET", one, reads(issuesRead, pullsRead), getIssue},
		{"PATCH", one, writes(state.Read, issuesWrite, pullsWrite), updateIssue},
		{"GET", one + "/reactions", reads(issuesRead, pullsRead), listIssueReactions},
		{"POST", one + "/reactions", writes(state.Read, issuesWrite, pullsWrite), createIssueReaction},
		{"DELETE", one + "/reactions/{reaction}", writes(state.Read, issuesWrite, pullsWrite), deleteIssueReaction},
		{"GET", one + "/comments", reads(issuesRead, pullsRead), listComments},
		{"POST", one + "/comments", writes(state.Read, issuesWrite, pullsWrite), createComment},
		{"GET", one + "/labels", reads(issuesRead, pullsRead), listLabels},
		{"POST", one + "/labels", writes(state.Triage, issuesWrite, pullsWrite), addLabels},
		{"PUT", one + "/labels", writes(state.Triage, issuesWrite, pullsWrite), setLabels},
		{"DELETE", one + "/labels", writes(state.Triage, issuesWrite, pullsWrite), clearLabels},
		{"DELETE", one + "/labels/{name}", writes(state.Triage, issuesWrite, pullsWrite), removeLabel},
		{"POST", one + "/assignees", writes(state.Triage, issuesWrite, pullsWrite), addAssignees},
		{"DELETE", one + "/assignees", writes(state.Triage, issuesWrite, pullsWrite), removeAssignees},
	}
}

func labelRoutes() []Route {
	return []Route{
		{"GET", inRepo + "/labels", reads(issuesRead, pullsRead), listRepoLabels},
		{"POST", inRepo + "/labels", writes(state.Write, issuesWrite, pullsWrite), createLabel},
		{"GET", inRepo + "/labels/{name}", reads(issuesRead, pullsRead), getLabel},
		{"PATCH", inRepo + "/labels/{name}", writes(state.Write, issuesWrite, pullsWrite), updateLabel},
		{"DELETE", inRepo + "/labels/{name}", writes(state.Write, issuesWrite, pullsWrite), deleteLabel},
		{"GET", inRepo + "/milestones", reads(issuesRead, pullsRead), listMilestones},
		{"POST", inRepo + "/milestones", writes(state.Triage, issuesWrite, pullsWrite), createMilestone},
		{"GET", inRepo + "/milestones/{number}", reads(issuesRead, pullsRead), getMilestone},
		{"PATCH", inRepo + "/milestones/{number}", writes(state.Triage, issuesWrite, pullsWrite), updateMilestone},
		{"DELETE", inRepo + "/milestones/{number}", writes(state.Triage, issuesWrite, pullsWrite), deleteMilestone},
		{"GET", inRepo + "/assignees", reads(issuesRead, pullsRead), listAssignees},
		{"GET", inRepo + "/assignees/{login}", reads(issuesRead, pullsRead), checkCollaborator},
	}
}

func checkRoutes() []Route {
	return []Route{
		{"POST", inRepo + "/check-runs", writes(state.Read, checksWrite), createRun},
		{"GET", inRepo + "/check-runs/{id}", reads(checksRead), getRun},
		{"PATCH", inRepo + "/check-runs/{id}", writes(state.Read, checksWrite), updateRun},
		{"GET", inRepo + "/check-runs/{id}/annotations", reads(checksRead), listAnnotations},
		{"POST", inRepo + "/check-runs/{id}/rerequest", writes(state.Write, checksWrite), rerequestRun},
		{"POST", inRepo + "/check-suites", writes(state.Read, checksWrite), createSuite},
		{"GET", inRepo + "/check-suites/{id}", reads(checksRead), getSuite},
		{"GET", inRepo + "/check-suites/{id}/check-runs", reads(checksRead), listSuiteRuns},
		{"POST", inRepo + "/check-suites/{id}/rerequest", writes(state.Write, checksWrite), rerequestSuite},
		{"POST", inRepo + "/statuses/{sha}", writes(state.Write, "statuses:write"), createStatus},
	}
}

func ruleRoutes() []Route {
	return []Route{
		{"GET", inRepo + "/rulesets", reads(metaRead), listRulesets},
		{"POST", inRepo + "/rulesets", writes(state.Admin, adminWrite), createRuleset},
		{"GET", inRepo + "/rulesets/{id}", reads(metaRead), getRuleset},
		{"PUT", inRepo + "/rulesets/{id}", writes(state.Admin, adminWrite), updateRuleset},
		{"DELETE", inRepo + "/rulesets/{id}", writes(state.Admin, adminWrite), deleteRuleset},
		{"GET", inRepo + "/rules/branches/{branch...}", reads(metaRead), listBranchRules},
	}
}

func deployRoutes() []Route {
	const one = inRepo + "/deployments/{id}"
	return []Route{
		{"GET", inRepo + "/deployments", reads(deployRead), listDeployments},
		{"POST", inRepo + "/deployments", writes(state.Write, deployWrite), createDeployment},
		{"GET", one, reads(deployRead), getDeployment},
		{"DELETE", one, writes(state.Write, deployWrite), deleteDeployment},
		{"GET", one + "/statuses", reads(deployRead), listDeploymentStatuses},
		{"POST", one + "/statuses", writes(state.Write, deployWrite), createDeploymentStatus},
		{"GET", one + "/statuses/{status}", reads(deployRead), getDeploymentStatus},
	}
}

func actionRoutes() []Route {
	const (
		workflow = inRepo + "/actions/workflows/{workflow}"
		run      = inRepo + "/actions/runs/{id}"
	)
	return []Route{
		{"GET", inRepo + "/actions/workflows", reads(actionsRead), listWorkflows},
		{"GET", workflow, reads(actionsRead), getWorkflow},
		{"PUT", workflow + "/enable", writes(state.Write, actionsWrite), enableWorkflow},
		{"PUT", workflow + "/disable", writes(state.Write, actionsWrite), disableWorkflow},
		{"POST", workflow + "/dispatches", writes(state.Write, actionsWrite), dispatchWorkflow},
		{"GET", workflow + "/runs", reads(actionsRead), listRunsOfWorkflow},
		{"GET", inRepo + "/actions/runs", reads(actionsRead), listWorkflowRuns},
		{"GET", run, reads(actionsRead), getWorkflowRun},
		{"POST", run + "/cancel", writes(state.Write, actionsWrite), cancelRun},
		{"POST", run + "/rerun", writes(state.Write, actionsWrite), rerunRun},
		{"GET", run + "/jobs", reads(actionsRead), listJobs},
		{"GET", run + "/logs", reads(actionsRead), downloadLogs},
		{"GET", run + "/artifacts", reads(actionsRead), listRunArtifacts},
		{"GET", inRepo + "/actions/jobs/{id}", reads(actionsRead), getJob},
		{"GET", inRepo + "/actions/artifacts", reads(actionsRead), listArtifacts},
		{"GET", inRepo + "/actions/artifacts/{id}", reads(actionsRead), getArtifact},
		{"GET", inRepo + "/actions/artifacts/{id}/{format}", reads(actionsRead), downloadArtifact},
	}
}

func alertRoutes() []Route {
	const (
		code   = inRepo + "/code-scanning/alerts"
		secret = inRepo + "/secret-scanning/alerts"
	)
	return []Route{
		{"GET", code, writes(state.Write, codeRead), listCodeAlerts},
		{"GET", code + "/{number}", writes(state.Write, codeRead), getCodeAlert},
		{"PATCH", code + "/{number}", writes(state.Write, codeWrite), updateCodeAlert},
		{"GET", code + "/{number}/instances", writes(state.Write, codeRead), listCodeInstances},
		{"GET", secret, writes(state.Admin, secretsRead), listSecretAlerts},
		{"GET", secret + "/{number}", writes(state.Admin, secretsRead), getSecretAlert},
		{"PATCH", secret + "/{number}", writes(state.Admin, secretsWrite), updateSecretAlert},
	}
}
