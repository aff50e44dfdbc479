package graphql

import gql "github.com/graph-gophers/graphql-go"

// The types below belong to what the hub does not have. Clients ask for them in their documents; what they get is null
// or an empty list, never one of these.

// autoMerge is GitHub's AutoMergeRequest.
type autoMerge struct {
	CommitBody, CommitHeadline *string
	EnabledAt                  *dateTime
	MergeMethod                string
}

// workflowRun is GitHub's WorkflowRun.
type workflowRun struct {
	DatabaseID *int32
	ID         gql.ID
	Workflow   *workflow
}

// workflow is GitHub's Workflow.
type workflow struct {
	DatabaseID *int32
	ID         gql.ID
	Name       string
}

// projectCard is GitHub's ProjectCard.
type projectCard struct {
	Column  *projectColumn
	ID      gql.ID
	Project *project
}

// projectColumn is GitHub's ProjectColumn.
type projectColumn struct {
	ID   gql.ID
	Name string
}

// project is GitHub's Project, the older kind.
type project struct {
	ID   gql.ID
	Name string
}

// projectItem is GitHub's ProjectV2Item.
type projectItem struct {
	ID      gql.ID
	Project *projectV2
}

// projectV2 is GitHub's ProjectV2.
type projectV2 struct {
	ID     gql.ID
	Number int32
	Title  string
}

// lineComment is GitHub's PullRequestReviewComment.
type lineComment struct {
	Body string
	ID   gql.ID
	Path string
}

// thread is GitHub's PullRequestReviewThread.
type thread struct {
	ID                     gql.ID
	IsOutdated, IsResolved bool
	Path                   string
}

// requestRemoved is GitHub's ReviewRequestRemovedEvent: the hub keeps no history of requests.
type requestRemoved struct {
	Actor             *object
	CreatedAt         dateTime
	ID                gql.ID
	RequestedReviewer *object
}
