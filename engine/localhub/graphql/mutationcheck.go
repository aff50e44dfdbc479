package graphql

import (
	"context"
	"errors"
	"strings"
	"time"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// runInput is what creating and changing a check run have in common.
type runInput struct {
	ClientMutationID *string
	CompletedAt      *dateTime
	Conclusion       *string
	DetailsURL       *uri
	ExternalID       *string
	Output           *outputInput
	RepositoryID     gql.ID
	StartedAt        *dateTime
	Status           *string
}

type outputInput struct {
	Annotations *[]annotationInput
	Summary     string
	Text        *string
	Title       string
}

type annotationInput struct {
	AnnotationLevel string
	Location        rangeInput
	Message, Path   string
	RawDetails      *string
	Title           *string
}

type rangeInput struct {
	EndColumn   *int32
	EndLine     int32
	StartColumn *int32
	StartLine   int32
}

func (in runInput) state() state.RunInput {
	return state.RunInput{
		ExternalID: in.ExternalID, DetailsURL: (*string)(in.DetailsURL), Status: lower(in.Status), Conclusion: lower(in.Conclusion),
		Started: plain(in.StartedAt), Completed: plain(in.CompletedAt), Output: in.Output.state(),
	}
}

func lower(word *string) *string {
	if word == nil {
		return nil
	}
	l := strings.ToLower(*word)
	return &l
}

func plain(t *dateTime) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

func (o *outputInput) state() *state.Output {
	if o == nil {
		return nil
	}
	out := &state.Output{Title: &o.Title, Summary: &o.Summary, Text: o.Text}
	if o.Annotations == nil {
		return out
	}
	column := func(n *int32) *int {
		if n == nil {
			return nil
		}
		c := int(*n)
		return &c
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for _, a := range *o.Annotations {
		out.Annotations = append(out.Annotations, state.Annotation{
			Path: a.Path, StartLine: int(a.Location.StartLine), EndLine: int(a.Location.EndLine), Level: strings.ToLower(a.AnnotationLevel),
			StartColumn: column(a.Location.StartColumn), EndColumn: column(a.Location.EndColumn), Message: a.Message,
			Title: text(a.Title), RawDetails: text(a.RawDetails),
		})
	}
	return out
}

type checked struct {
	CheckRun         *checkRun
	ClientMutationID *string
}

// checking is the repository of a mutation of check runs, which only Apps may.
func (s *session) checking(ctx context.Context, id gql.ID, name string) (*repository, error) {
	if !s.actor.IsInstallation() {
		return nil, &fault{forbidden, "Resource not accessible by personal access token"}
	}
	return s.repositoryByID(ctx, id, name, needs(state.Read, checksWrite))
}

// CreateCheckRun makes a check run on a commit.
func (*mutation) CreateCheckRun(ctx context.Context, args struct {
	Input struct {
		runInput
		HeadSHA oid
		Name    string
	}
}) (*checked, error) {
	s, in := sessionOf(ctx), args.Input
	r, err := s.checking(ctx, in.RepositoryID, "CreateCheckRun")
	if err != nil {
		return nil, err
	}
	sha, err := s.git().Resolve(ctx, r.full(), string(in.HeadSHA))
	if errors.Is(err, git.ErrAbsent) || (err == nil && sha != string(in.HeadSHA)) {
		return nil, refuse("No commit found for SHA: %s", in.HeadSHA)
	}
	if err != nil {
		return nil, err
	}
	next := in.state()
	next.Name, next.HeadSHA = &in.Name, &sha
	run, err := s.store().CreateRun(s.actor, r.full(), next)
	if err != nil {
		return nil, err
	}
	return &checked{r.runNode(*run), in.ClientMutationID}, nil
}

// UpdateCheckRun changes a check run, which only the App that made it may.
func (*mutation) UpdateCheckRun(ctx context.Context, args struct {
	Input struct {
		runInput
		CheckRunID gql.ID
		Name       *string
	}
}) (*checked, error) {
	s, in := sessionOf(ctx), args.Input
	r, err := s.checking(ctx, in.RepositoryID, "UpdateCheckRun")
	if err != nil {
		return nil, err
	}
	k, err := parseID(in.CheckRunID)
	if err != nil || k.kind != "CheckRun" {
		return nil, noNode(string(in.CheckRunID))
	}
	next := in.state()
	next.Name = in.Name
	run, err := s.store().UpdateRun(s.actor, r.full(), k.number, next)
	if isAbsent(err) {
		return nil, noNode(string(in.CheckRunID))
	}
	if err != nil {
		return nil, err
	}
	return &checked{r.runNode(*run), in.ClientMutationID}, nil
}
