package graphql

import (
	"context"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// statusContext is GitHub's StatusContext: the newest commit status of one name.
type statusContext struct {
	r *repository
	x state.Status
}

// AvatarURL is the creator's.
func (x *statusContext) AvatarURL(struct{ Size gql.NullInt }) *uri {
	u := uri(x.r.s.host.Page("/avatars/%d", x.x.Creator.ID))
	return &u
}

// Commit is what the status is about.
func (x *statusContext) Commit(ctx context.Context) (*commit, error) { return x.r.commit(ctx, x.x.SHA) }

// Context is the name.
func (x *statusContext) Context() string { return x.x.Context }

// CreatedAt is when it was given.
func (x *statusContext) CreatedAt() dateTime { return dateTime{x.x.Created} }

// Creator is who gave it.
func (x *statusContext) Creator() *object { return x.r.s.actorNode(x.x.Creator) }

// Description is its sentence.
func (x *statusContext) Description() *string { return orNull(x.x.Description) }

// ID is REST's node_id.
func (x *statusContext) ID() gql.ID { return numberID("StatusContext", x.x.ID) }

// IsRequired says whether a pull request needs the status before it can be merged.
func (x *statusContext) IsRequired(ctx context.Context, args requiredArgs) (bool, error) {
	return x.r.required(ctx, state.RequiredCheck{Context: x.x.Context, Integration: x.x.App}, args)
}

// State is error, failure, pending or success.
func (x *statusContext) State() string { return strings.ToUpper(x.x.State) }

// TargetURL is where to read more.
func (x *statusContext) TargetURL() *uri {
	if x.x.TargetURL == "" {
		return nil
	}
	u := uri(x.x.TargetURL)
	return &u
}

// statuses are the newest of each name on a commit, oldest first.
func (c *commit) statuses() ([]*statusContext, error) {
	if err := c.r.may(statusesRead); err != nil {
		return nil, err
	}
	all, err := c.r.s.store().Statuses(c.r.full(), c.c.SHA)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []*statusContext
	for _, x := range all {
		if !seen[x.Context] {
			seen[x.Context] = true
			out = append(out, &statusContext{c.r, x})
		}
	}
	slices.Reverse(out)
	return out, nil
}

// status is GitHub's Status: the commit statuses of one commit.
type status struct {
	commit   *commit
	Contexts []*statusContext
}

// Status is null for a commit without statuses.
func (c *commit) Status() (*status, error) {
	all, err := c.statuses()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &status{c, all}, nil
}

// Commit is what the statuses are about.
func (x *status) Commit() *commit { return x.commit }

// Context is the status of one name, or null.
func (x *status) Context(args struct{ Name string }) *statusContext {
	for _, c := range x.Contexts {
		if c.x.Context == args.Name {
			return c
		}
	}
	return nil
}

// ID is made like REST's ids; REST has none for this.
func (x *status) ID() gql.ID { return objectID("Status", x.commit.r.r.ID, x.commit.c.SHA) }

// State is the worst of the statuses.
func (x *status) State() string {
	words := make([]string, len(x.Contexts))
	for i, c := range x.Contexts {
		words[i] = c.State()
	}
	return worst(words)
}

// worst is what several states come to.
func worst(words []string) string {
	for _, w := range []string{"ERROR", "FAILURE", "PENDING"} {
		if slices.Contains(words, w) {
			return w
		}
	}
	return "SUCCESS"
}

// rollup is GitHub's StatusCheckRollup: statuses and check runs of one commit together.
type rollup struct {
	commit   *commit
	runs     []state.Run
	statuses []*statusContext
}

// StatusCheckRollup is null for a commit with neither.
func (c *commit) StatusCheckRollup() (*rollup, error) {
	if err := c.r.may(checksRead); err != nil {
		return nil, err
	}
	runs, err := c.r.s.store().Runs(c.r.full(), c.c.SHA, state.RunFilter{})
	if err != nil {
		return nil, err
	}
	slices.Reverse(runs)
	statuses, err := c.statuses()
	if err != nil {
		if f, ok := classify(err); !ok || f.kind != forbidden {
			return nil, err
		}
		statuses = nil // an App that may read checks and not statuses sees the checks
	}
	if len(runs)+len(statuses) == 0 {
		return nil, nil
	}
	return &rollup{c, runs, statuses}, nil
}

// Commit is what is checked.
func (x *rollup) Commit() *commit { return x.commit }

// ID is made like REST's ids; REST has none for this.
func (x *rollup) ID() gql.ID { return objectID("StatusCheckRollup", x.commit.r.r.ID, x.commit.c.SHA) }

// State is the worst of all.
func (x *rollup) State() string {
	var words []string
	for _, s := range x.statuses {
		words = append(words, s.State())
	}
	for _, r := range x.runs {
		switch {
		case r.Status != "completed":
			words = append(words, "PENDING")
		case !slices.Contains([]string{"success", "neutral", "skipped"}, r.Conclusion):
			words = append(words, "FAILURE")
		}
	}
	return worst(words)
}

// rollupContexts is GitHub's StatusCheckRollupContextConnection, which counts its two kinds.
type rollupContexts struct {
	connection[object]
	CheckRunCount, StatusContextCount int32
}

// Contexts lists check runs and then statuses, each oldest first.
func (x *rollup) Contexts(ctx context.Context, args slice) (*rollupContexts, error) {
	list := listing[*object]{field: "contexts"}
	for _, r := range x.runs {
		list.items = append(list.items, &object{x.commit.r.runNode(r)})
	}
	for _, s := range x.statuses {
		list.items = append(list.items, &object{s})
	}
	c, err := paginate(ctx, args, list, func(o *object) *object { return o })
	if err != nil {
		return nil, err
	}
	return &rollupContexts{*c, int32(len(x.runs)), int32(len(x.statuses))}, nil
}
