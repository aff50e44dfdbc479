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
)

const inRepo = "/repos/{owner}/{repo}"

// Routes is the table of endpoints; the first row that matches answers.
func Routes() []Route {
	var all []Route
	for _, part := range [][]Route{hubRoutes(), appRoutes(), repoRoutes(), pullRoutes(), issueRoutes(), checkRoutes()} {
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
		{"GET", "/user/{id}", open, getUserByID},
		{"GET", "/users/{login}", open, getUser},
		{"GET", "/orgs/{org}", open, getOrg},
		{"GET", "/orgs/{org}/teams", signedIn, listTeams},
		{"GET", "/orgs/{org}/teams/{slug}", signedIn, getTeam},
		{"GET", "/orgs/{org}/teams/{slug}/members", signedIn, listMembers},
		{"GET", "/orgs/{org}/teams/{slug}/memberships/{login}", signedIn, getMembership},
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
	}
}

func repoRoutes() []Route {
	return []Route{
		{"GET", inRepo, reads(metaRead), getRepo},
		{"GET", inRepo + "/branches", reads(contentsRead), listBranches},
		{"GET", inRepo + "/branches/{branch...}", reads(contentsRead), getBranch},
		{"GET", inRepo + "/collaborators", writes(state.Write, metaRead), listCollaborators},
		{"GET", inRepo + "/collaborators/{login}", writes(state.Write, metaRead), checkCollaborator},
		{"GET", inRepo + "/collaborators/{login}/permission", writes(state.Read, metaRead), getPermission},
		{"GET", inRepo + "/readme", reads(contentsRead), getReadme},
		{"GET", inRepo + "/contents", reads(contentsRead), getContents},
		{"GET", inRepo + "/contents/{path...}", reads(contentsRead), getContents},
		{"GET", inRepo + "/git/ref/{ref...}", reads(contentsRead), getRef},
		{"GET", inRepo + "/git/matching-refs/{ref...}", reads(contentsRead), listRefs},
		{"POST", inRepo + "/git/refs", writes(state.Write, contentsWrite), createRef},
		{"PATCH", inRepo + "/git/refs/{ref...}", writes(state.Write, contentsWrite), updateRef},
		{"DELETE", inRepo + "/git/refs/{ref...}", writes(state.Write, contentsWrite), deleteRef},
		{"GET", inRepo + "/commits", reads(contentsRead), listCommits},
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
		{"GET", one, reads(pullsRead), getPull},
		{"PATCH", one, writes(state.Read, pullsWrite), updatePull},
		{"GET", one + "/commits", reads(pullsRead), listPullCommits},
		{"GET", one + "/files", reads(pullsRead), listPullFiles},
		{"GET", one + "/merge", reads(pullsRead), isMerged},
		{"PUT", one + "/merge", writes(state.Write, contentsWrite), mergePull},
		{"GET", one + "/reviews", reads(pullsRead), listReviews},
		{"POST", one + "/reviews", writes(state.Read, pullsWrite), createReview},
		{"GET", one + "/reviews/{id}", reads(pullsRead), getReview},
		{"PUT", one + "/reviews/{id}", writes(state.Read, pullsWrite), updateReview},
		{"PUT", one + "/reviews/{id}/dismissals", writes(state.Write, pullsWrite), dismissReview},
		{"GET", one + "/requested_reviewers", reads(pullsRead), listReviewers},
		{"POST", one + "/requested_reviewers", writes(state.Triage, pullsWrite), requestReviewers},
		{"DELETE", one + "/requested_reviewers", writes(state.Triage, pullsWrite), removeReviewers},
	}
}

func issueRoutes() []Route {
	const one = inRepo + "/issues/{number}"
	return []Route{
		{"GET", inRepo + "/issues/comments/{id}", reads(issuesRead, pullsRead), getComment},
		{"PATCH", inRepo + "/issues/comments/{id}", writes(state.Read, issuesWrite, pullsWrite), updateComment},
		{"DELETE", inRepo + "/issues/comments/{id}", writes(state.Read, issuesWrite, pullsWrite), deleteComment},
		{"GET", inRepo + "/issues/comments/{id}/reactions", reads(issuesRead, pullsRead), listReactions},
		{"POST", inRepo + "/issues/comments/{id}/reactions", writes(state.Read, issuesWrite, pullsWrite), createReaction},
		{"GET", one, reads(issuesRead, pullsRead), getIssue},
		{"GET", one + "/comments", reads(issuesRead, pullsRead), listComments},
		{"POST", one + "/comments", writes(state.Read, issuesWrite, pullsWrite), createComment},
		{"GET", one + "/labels", reads(issuesRead, pullsRead), listLabels},
		{"POST", one + "/labels", writes(state.Triage, issuesWrite, pullsWrite), addLabels},
		{"DELETE", one + "/labels/{name}", writes(state.Triage, issuesWrite, pullsWrite), removeLabel},
		{"POST", one + "/assignees", writes(state.Triage, issuesWrite, pullsWrite), addAssignees},
	}
}

func checkRoutes() []Route {
	return []Route{
		{"POST", inRepo + "/check-runs", writes(state.Read, checksWrite), createRun},
		{"GET", inRepo + "/check-runs/{id}", reads(checksRead), getRun},
		{"PATCH", inRepo + "/check-runs/{id}", writes(state.Read, checksWrite), updateRun},
		{"GET", inRepo + "/check-runs/{id}/annotations", reads(checksRead), listAnnotations},
		{"GET", inRepo + "/check-suites/{id}", reads(checksRead), getSuite},
		{"POST", inRepo + "/statuses/{sha}", writes(state.Write, "statuses:write"), createStatus},
	}
}
