package graphql

import (
	"context"
	"errors"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// ref is GitHub's Ref: a branch or a tag.
type ref struct {
	r    *repository
	full string // refs/heads/main
}

func splitRef(full string) (prefix, name string) {
	for _, p := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(full, p); ok {
			return p, name
		}
	}
	i := strings.LastIndex(full, "/")
	return full[:i+1], full[i+1:]
}

// refNode finds a ref by its full name, or null.
func (r *repository) refNode(ctx context.Context, full string) (*ref, error) {
	if err := r.may(contentsRead); err != nil {
		return nil, err
	}
	_, err := r.s.git().Ref(ctx, r.full(), full)
	if errors.Is(err, git.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &ref{r, full}, nil
}

// DefaultBranchRef is the default branch, or null in an empty repository.
func (r *repository) DefaultBranchRef(ctx context.Context) (*ref, error) {
	return r.refNode(ctx, "refs/heads/"+r.r.DefaultBranch)
}

// Ref finds a ref by its full name, or a branch or tag by its short one.
func (r *repository) Ref(ctx context.Context, args struct{ QualifiedName string }) (*ref, error) {
	if strings.HasPrefix(args.QualifiedName, "refs/") {
		return r.refNode(ctx, args.QualifiedName)
	}
	found, err := r.refNode(ctx, "refs/heads/"+args.QualifiedName)
	if found != nil || err != nil {
		return found, err
	}
	return r.refNode(ctx, "refs/tags/"+args.QualifiedName)
}

// Refs lists the refs below a prefix by name.
func (r *repository) Refs(ctx context.Context, args struct {
	slice
	Direction *string
	Query     *string
	RefPrefix string
}) (*connection[ref], error) {
	if err := r.may(contentsRead); err != nil {
		return nil, err
	}
	all, err := r.s.git().Refs(ctx, r.full(), args.RefPrefix)
	if err != nil {
		return nil, err
	}
	list := listing[git.Ref]{field: "refs"}
	for _, x := range all {
		if args.Query == nil || contains(x.Name, *args.Query) {
			list.items = append(list.items, x)
		}
	}
	if args.Direction != nil && *args.Direction == "DESC" {
		reverse(list.items)
	}
	return paginate(ctx, args.slice, list, func(x git.Ref) *ref { return &ref{r, x.Name} })
}

// ID is REST's node_id.
func (f *ref) ID() gql.ID { return refID(f.r.full(), f.full) }

// Name is the name without prefix.
func (f *ref) Name() string { _, name := splitRef(f.full); return name }

// Prefix is refs/heads/ or refs/tags/.
func (f *ref) Prefix() string { prefix, _ := splitRef(f.full); return prefix }

// Repository is where the ref is.
func (f *ref) Repository() *repository { return f.r }

// Target is the commit that the ref, or the tag that it names, points to.
func (f *ref) Target(ctx context.Context) (*object, error) {
	sha, err := f.r.s.git().Ref(ctx, f.r.full(), f.full)
	if err != nil {
		return nil, err
	}
	c, err := f.r.commit(ctx, sha)
	if err != nil {
		return nil, err
	}
	return &object{c}, nil
}

// AssociatedPullRequests are those whose head branch it is.
func (f *ref) AssociatedPullRequests(ctx context.Context, args pullsArgs) (*connection[pullRequest], error) {
	name := f.Name()
	if args.HeadRefName != nil && *args.HeadRefName != name {
		return none[pullRequest](ctx, args.slice, "associatedPullRequests")
	}
	args.HeadRefName = &name
	return f.r.pulls(ctx, args, "associatedPullRequests")
}

// protection is GitHub's BranchProtectionRule, as far as the hub has rules.
type protection struct {
	ID                           gql.ID
	Pattern                      string
	RequiredApprovingReviewCount *int32
	RequiredStatusCheckContexts  *[]*string
	RequiresApprovingReviews     bool
	RequiresStatusChecks         bool
	RequiresStrictStatusChecks   bool
}

// BranchProtectionRule is there for a default branch with required checks; only those who may push see it.
func (f *ref) BranchProtectionRule() *protection {
	r := f.r.r
	if len(r.RequiredChecks) == 0 || f.full != "refs/heads/"+r.DefaultBranch {
		return nil
	}
	if !f.r.s.actor.IsInstallation() && f.r.role() < state.Write {
		return nil
	}
	names := make([]*string, len(r.RequiredChecks))
	for i := range r.RequiredChecks {
		names[i] = &r.RequiredChecks[i]
	}
	return &protection{
		ID: numberID("BranchProtectionRule", r.ID), Pattern: r.DefaultBranch, RequiredStatusCheckContexts: &names, RequiresStatusChecks: true,
	}
}
