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
	Draft               gql.NullBool
	HeadRefName         string
	HeadRepositoryID    *gql.ID
	MaintainerCanModify gql.NullBool
	RepositoryID        gql.ID
	Title               string
}

func (in createPullInput) opening() git.Opening {
	o := git.Opening{Title: in.Title, Head: in.HeadRefName, Base: in.BaseRefName, Draft: isTrue(in.Draft)}
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

// method is a PullRequestMergeMethod. Null stands for the default: the library gives null for a variable that is absent.
type method string

// ImplementsGraphQLType names the enumeration.
func (method) ImplementsGraphQLType(name string) bool { return name == "PullRequestMergeMethod" }

// UnmarshalGraphQL reads an input.
func (m *method) UnmarshalGraphQL(input any) error {
	if input == nil {
		*m = "MERGE"
		return nil
	}
	return unmarshalText(m, "PullRequestMergeMethod", input)
}

// Nullable tells the library that null is an input, too.
func (*method) Nullable() {}

// isTrue takes null for the default of all these fields, which is false.
func isTrue(b gql.NullBool) bool { return b.Value != nil && *b.Value }

type mergeInput struct {
	AuthorEmail      *string
	ClientMutationID *string
	CommitBody       *string
	CommitHeadline   *string
	ExpectedHeadOID  *oid
	MergeMethod      method
	PullRequestID    gql.ID
}

func (in mergeInput) merging() git.Merging {
	m := git.Merging{Method: strings.ToLower(string(in.MergeMethod))}
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
	Union            gql.NullBool
	UserIDs          *[]gql.ID
}
