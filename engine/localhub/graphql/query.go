package graphql

import (
	"context"
	"errors"

	gql "github.com/graph-gophers/graphql-go"
)

// root gives the library the two roots. They hold nothing: what differs between requests is in the session.
type root struct{}

// Query is the root of reading.
func (*root) Query() *query { return &query{} }

// Mutation is the root of writing.
func (*root) Mutation() *mutation { return &mutation{} }

// query is GitHub's Query.
type query struct{}

type loginArgs struct{ Login string }

// Viewer is who asks.
func (*query) Viewer(ctx context.Context) *user {
	s := sessionOf(ctx)
	return &user{account{s, s.actor.User}}
}

// Repository finds a repository that the actor may read.
func (*query) Repository(ctx context.Context, args struct {
	Owner, Name   string
	FollowRenames gql.NullBool
}) (*repository, error) {
	return sessionOf(ctx).repository(args.Owner + "/" + args.Name)
}

// RepositoryOwner finds a person or an organisation.
func (*query) RepositoryOwner(ctx context.Context, args loginArgs) (*owner, error) {
	s := sessionOf(ctx)
	u, err := s.store().Account(args.Login)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.owner(u), nil
}

// Organization finds an organisation.
func (*query) Organization(ctx context.Context, args loginArgs) (*organization, error) {
	s := sessionOf(ctx)
	u, err := s.store().Org(args.Login)
	if isAbsent(err) {
		return nil, absent("Could not resolve to an Organization with the login of '%s'.", args.Login)
	}
	return &organization{account{s, u}}, err
}

// User finds a person.
func (*query) User(ctx context.Context, args loginArgs) (*user, error) {
	s := sessionOf(ctx)
	u, err := s.store().Account(args.Login)
	if isAbsent(err) || (err == nil && !isPerson(u)) {
		return nil, absent("Could not resolve to a User with the login of '%s'.", args.Login)
	}
	return &user{account{s, u}}, err
}

// Node finds what a global id names.
func (*query) Node(ctx context.Context, args struct{ ID gql.ID }) (*object, error) {
	return sessionOf(ctx).node(ctx, args.ID)
}

// maxIDs is how many nodes GitHub finds in one go.
const maxIDs = 100

// Nodes finds what several ids name, and null for each that is not there. GitHub adds an error for those; here null says
// it all.
func (*query) Nodes(ctx context.Context, args struct{ IDs []gql.ID }) ([]*object, error) {
	if len(args.IDs) > maxIDs {
		return nil, &fault{"ARGUMENT_LIMIT", "You may not provide more than 100 node ids."}
	}
	out := make([]*object, len(args.IDs))
	for i, id := range args.IDs {
		found, err := sessionOf(ctx).node(ctx, id)
		var f *fault
		if errors.As(err, &f) && f.kind == notFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i] = found
	}
	return out, nil
}

// rateLimit is GitHub's RateLimit.
type rateLimit struct {
	Cost, Limit, NodeCount, Remaining, Used int32
	ResetAt                                 dateTime
}

// RateLimit says what is left of the hour.
func (*query) RateLimit(ctx context.Context, args struct{ DryRun gql.NullBool }) *rateLimit {
	s := sessionOf(ctx)
	return &rateLimit{
		Cost: 1, Limit: hourly, NodeCount: int32(s.nodes), Remaining: int32(s.used.left()), Used: int32(s.used.used),
		ResetAt: dateTime{s.used.reset},
	}
}
