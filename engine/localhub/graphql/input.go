package graphql

import (
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
)

// The inputs of mutations of pull requests. What GitHub's have besides is refused by the schema.

type createPullInput struct {
	BaseRefName         string
	Body                *string
	ClientMutationID    *string
	Draft               bool
	HeadRefName         string
	HeadRepositoryID    *gql.ID
	MaintainerCanModify bool
	RepositoryID        gql.ID
	Title               string
}

func (in createPullInput) opening() git.Opening {
	o := git.Opening{Title: in.Title, Head: in.HeadRefName, Base: in.BaseRefName, Draft: in.Draft}
	if in.Body != nil {
		o.Body = *in.Body
	}
	return o
}

type updatePullInput struct {
	AssigneeIDs         *[]gql.ID
	BaseRefName         *string
	Body                *string
	ClientMutationID    *string
	LabelIDs            *[]gql.ID
	MaintainerCanModify *bool
	MilestoneID         *gql.ID
	ProjectIDs          *[]gql.ID
	PullRequestID       gql.ID
	State               *string
	Title               *string
}

type pullInput struct {
	ClientMutationID *string
	PullRequestID    gql.ID
}

type mergeInput struct {
	AuthorEmail      *string
	ClientMutationID *string
	CommitBody       *string
	CommitHeadline   *string
	ExpectedHeadOID  *oid
	MergeMethod      string
	PullRequestID    gql.ID
}

func (in mergeInput) merging() git.Merging {
	m := git.Merging{Method: strings.ToLower(in.MergeMethod)}
	if in.CommitHeadline != nil {
		m.Title = *in.CommitHeadline
	}
	if in.CommitBody != nil {
		m.Message = *in.CommitBody
	}
	if in.ExpectedHeadOID != nil {
		m.SHA = string(*in.ExpectedHeadOID)
	}
	return m
}

type requestReviewsInput struct {
	ClientMutationID *string
	PullRequestID    gql.ID
	TeamIDs          *[]gql.ID
	Union            bool
	UserIDs          *[]gql.ID
}
