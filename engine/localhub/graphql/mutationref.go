package graphql

import (
	"context"
	"errors"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

type reffed struct {
	ClientMutationID *string
	Ref              *ref
}

// CreateRef makes a branch or tag.
func (*mutation) CreateRef(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		Name             string
		OID              oid
		RepositoryID     gql.ID
	}
}) (*reffed, error) {
	s, in := sessionOf(ctx), args.Input
	r, err := s.repositoryByID(ctx, in.RepositoryID, "CreateRef", needs(state.Write, contentsWrite))
	if err != nil {
		return nil, err
	}
	if err := checkRef(in.Name, string(in.OID)); err != nil {
		return nil, err
	}
	err = s.git().SetRef(ctx, s.actor, r.full(), git.RefChange{Ref: in.Name, After: string(in.OID), Create: true})
	if err != nil {
		return nil, err
	}
	return &reffed{in.ClientMutationID, &ref{r, in.Name}}, nil
}

// checkRef refuses names that are neither a branch nor a tag, and ids that cannot be a commit.
func checkRef(name, id string) error {
	prefix, _ := splitRef(name)
	if !git.ValidRef(name) || (prefix != "refs/heads/" && prefix != "refs/tags/") {
		return refuse("%s is not a valid ref name", name)
	}
	if !git.IsID(id) || id == state.ZeroID {
		return refuse("Object does not exist")
	}
	return nil
}

// ref finds the ref of a mutation and checks that the actor may run it.
func (s *session) ref(ctx context.Context, id gql.ID, name string) (*ref, error) {
	o, err := s.node(ctx, id)
	if err != nil {
		return nil, err
	}
	f, ok := o.ToRef()
	if !ok || !strings.Contains("refs/heads/ refs/tags/", f.Prefix()) {
		return nil, noNode(string(id))
	}
	_, err = s.allow(f.r.full(), name, needs(state.Write, contentsWrite))
	return f, err
}

// UpdateRef moves a ref, forward only unless forced.
func (*mutation) UpdateRef(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		Force            gql.NullBool
		OID              oid
		RefID            gql.ID
	}
}) (*reffed, error) {
	s, in := sessionOf(ctx), args.Input
	f, err := s.ref(ctx, in.RefID, "UpdateRef")
	if err != nil {
		return nil, err
	}
	if err := checkRef(f.full, string(in.OID)); err != nil {
		return nil, err
	}
	err = s.git().SetRef(ctx, s.actor, f.r.full(), git.RefChange{Ref: f.full, After: string(in.OID), Force: isTrue(in.Force)})
	if err != nil {
		return nil, err
	}
	return &reffed{in.ClientMutationID, f}, nil
}

// DeleteRef removes a ref.
func (*mutation) DeleteRef(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		RefID            gql.ID
	}
}) (*only, error) {
	s, in := sessionOf(ctx), args.Input
	f, err := s.ref(ctx, in.RefID, "DeleteRef")
	if err != nil {
		return nil, err
	}
	if f.full == "refs/heads/"+f.r.r.DefaultBranch {
		return nil, refuse("Cannot delete the default branch")
	}
	return &only{in.ClientMutationID}, s.git().SetRef(ctx, s.actor, f.r.full(), git.RefChange{Ref: f.full, After: state.ZeroID, Force: true})
}

// maxRefUpdates is how many refs one call may move.
const maxRefUpdates = 1000

// UpdateRefs moves several refs, or none when one of them cannot be.
func (*mutation) UpdateRefs(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		RefUpdates       []struct {
			AfterOID  oid
			BeforeOID *oid
			Force     gql.NullBool
			Name      refname
		}
		RepositoryID gql.ID
	}
}) (*only, error) {
	s, in := sessionOf(ctx), args.Input
	r, err := s.repositoryByID(ctx, in.RepositoryID, "UpdateRefs", needs(state.Write, contentsWrite))
	if err != nil {
		return nil, err
	}
	if len(in.RefUpdates) > maxRefUpdates {
		return nil, refuse("No more than %d refs can be updated at once", maxRefUpdates)
	}
	var updates []git.RefUpdate
	for _, u := range in.RefUpdates {
		if string(u.AfterOID) == state.ZeroID && string(u.Name) == "refs/heads/"+r.r.DefaultBranch {
			return nil, refuse("Cannot delete the default branch")
		}
		next := git.RefUpdate{Ref: string(u.Name), After: string(u.AfterOID), Force: isTrue(u.Force)}
		if u.BeforeOID != nil {
			next.Before = string(*u.BeforeOID)
		}
		updates = append(updates, next)
	}
	return &only{in.ClientMutationID}, s.git().UpdateRefs(ctx, s.actor, r.full(), updates)
}

type branchInput struct {
	BranchName              *string
	ID                      *gql.ID
	RepositoryNameWithOwner *string
}

type commitInput struct {
	Branch           branchInput
	ClientMutationID *string
	ExpectedHeadOID  oid
	FileChanges      *filesInput
	Message          messageInput
}

type messageInput struct {
	Body     *string
	Headline string
}

type filesInput struct {
	Additions []struct {
		Contents blob64
		Path     string
	}
	Deletions []struct{ Path string }
}

func (in commitInput) change(branch string) git.Change {
	c := git.Change{Branch: branch, Expected: string(in.ExpectedHeadOID), Message: in.Message.Headline, Added: map[string][]byte{}}
	if in.Message.Body != nil && *in.Message.Body != "" {
		c.Message += "\n\n" + *in.Message.Body
	}
	c.Message += "\n"
	if in.FileChanges == nil {
		return c
	}
	for _, a := range in.FileChanges.Additions {
		c.Added[a.Path] = a.Contents
	}
	for _, d := range in.FileChanges.Deletions {
		c.Deleted = append(c.Deleted, d.Path)
	}
	return c
}

type committed struct {
	ClientMutationID *string
	Commit           *commit
	Ref              *ref
}

// CreateCommitOnBranch writes files on top of a branch that is still where the caller saw it. Like all commits of the
// hub it carries no signature.
func (*mutation) CreateCommitOnBranch(ctx context.Context, args struct{ Input commitInput }) (*committed, error) {
	s, in := sessionOf(ctx), args.Input
	r, branch, err := s.branch(ctx, in.Branch)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Message.Headline) == "" {
		return nil, refuse("A commit message headline must be given")
	}
	sha, err := s.git().CommitOn(ctx, s.actor, r.full(), in.change(branch))
	switch {
	case errors.Is(err, git.ErrMoved):
		return nil, &fault{"STALE_DATA", `Expected branch to point to "` + string(in.ExpectedHeadOID) + `" but it did not.  Pull and try again.`}
	case errors.Is(err, git.ErrAbsent):
		return nil, absent("Could not resolve to a Ref with the name '%s'.", branch)
	case err != nil:
		return nil, err
	}
	c, err := r.commit(ctx, sha)
	if err != nil {
		return nil, err
	}
	return &committed{in.ClientMutationID, c, &ref{r, "refs/heads/" + branch}}, nil
}

// branch finds what a CommittableBranch names: a ref's id, or repository and branch.
func (s *session) branch(ctx context.Context, in branchInput) (*repository, string, error) {
	if in.ID != nil {
		f, err := s.ref(ctx, *in.ID, "CreateCommitOnBranch")
		if err != nil {
			return nil, "", err
		}
		if f.Prefix() != "refs/heads/" {
			return nil, "", noNode(string(*in.ID))
		}
		return f.r, f.Name(), nil
	}
	if in.RepositoryNameWithOwner == nil || in.BranchName == nil {
		return nil, "", refuse("Must give either the branch's id, or repositoryNameWithOwner and branchName")
	}
	found, err := s.repository(*in.RepositoryNameWithOwner)
	if err != nil {
		return nil, "", err
	}
	r, err := s.allow(found.full(), "CreateCommitOnBranch", needs(state.Write, contentsWrite))
	return r, strings.TrimPrefix(*in.BranchName, "refs/heads/"), err
}
