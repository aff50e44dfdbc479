package graphql

import (
	"context"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func upper(word string) *string {
	if word == "" {
		return nil
	}
	word = strings.ToUpper(word)
	return &word
}

// checkSuite is GitHub's CheckSuite.
type checkSuite struct {
	r *repository
	x state.Suite
}

type suitesArgs struct {
	slice
	FilterBy *struct {
		AppID     *int32
		CheckName *string
	}
}

// CheckSuites lists the commit's suites, one for each App.
func (c *commit) CheckSuites(ctx context.Context, args suitesArgs) (*connection[checkSuite], error) {
	if err := c.r.may(checksRead); err != nil {
		return nil, err
	}
	all, err := c.r.s.store().Suites(c.r.full(), c.c.SHA)
	if err != nil {
		return nil, err
	}
	list := listing[state.Suite]{field: "checkSuites"}
	for _, x := range all {
		if f := args.FilterBy; f != nil && f.AppID != nil && x.App.ID != int64(*f.AppID) {
			continue
		}
		if f := args.FilterBy; f != nil && f.CheckName != nil {
			runs, err := c.r.s.store().Runs(c.r.full(), c.c.SHA, state.RunFilter{Name: *f.CheckName, App: x.App.ID})
			if err != nil {
				return nil, err
			}
			if len(runs) == 0 {
				continue
			}
		}
		list.items = append(list.items, x)
	}
	return paginate(ctx, args.slice, list, func(x state.Suite) *checkSuite { return &checkSuite{c.r, x} })
}

// App is who writes into the suite.
func (x *checkSuite) App() *app { return &app{x.r.s, x.x.App} }

type runsArgs struct {
	slice
	FilterBy *runFilter
}

type runFilter struct {
	AppID       *int32
	CheckName   *string
	CheckType   *string
	Conclusions *[]string
	Status      *string
	Statuses    *[]string
}

func (f *runFilter) wants(r state.Run) bool {
	switch {
	case f == nil:
		return true
	case f.AppID != nil && r.App.ID != int64(*f.AppID), f.CheckName != nil && r.Name != *f.CheckName:
		return false
	case f.Status != nil && !strings.EqualFold(*f.Status, r.Status):
		return false
	case f.Statuses != nil && !anyOf([]string{r.Status}, *f.Statuses):
		return false
	default:
		return f.Conclusions == nil || anyOf([]string{r.Conclusion}, *f.Conclusions)
	}
}

// CheckRuns lists the suite's runs, newest first: the newest of each name unless all are asked for.
func (x *checkSuite) CheckRuns(ctx context.Context, args runsArgs) (*connection[checkRun], error) {
	all := args.FilterBy != nil && args.FilterBy.CheckType != nil && *args.FilterBy.CheckType == "ALL"
	runs, err := x.r.s.store().Runs(x.r.full(), x.x.HeadSHA, state.RunFilter{App: x.x.App.ID, All: all})
	if err != nil {
		return nil, err
	}
	runs = slices.DeleteFunc(runs, func(r state.Run) bool { return r.Suite != x.x.ID || !args.FilterBy.wants(r) })
	return paginate(ctx, args.slice, listing[state.Run]{"checkRuns", runs}, x.r.runNode)
}

// Commit is what is checked.
func (x *checkSuite) Commit(ctx context.Context) (*commit, error) {
	return x.r.commit(ctx, x.x.HeadSHA)
}

// Conclusion is how it ended, or null.
func (x *checkSuite) Conclusion() *string { return upper(x.x.Conclusion) }

// Status is how far it is.
func (x *checkSuite) Status() string { return strings.ToUpper(x.x.Status) }

// CreatedAt is when it began.
func (x *checkSuite) CreatedAt() dateTime { return dateTime{x.x.Created} }

// UpdatedAt is when it last changed.
func (x *checkSuite) UpdatedAt() dateTime { return dateTime{x.x.Updated} }

// DatabaseID is REST's id.
func (x *checkSuite) DatabaseID() *int32 { return small(x.x.ID) }

// ID is REST's node_id.
func (x *checkSuite) ID() gql.ID { return numberID("CheckSuite", x.x.ID) }

// Repository is where it is.
func (x *checkSuite) Repository() *repository { return x.r }

// ResourcePath is the path of the commit's page, where the suite is shown.
func (x *checkSuite) ResourcePath() uri { return x.r.ResourcePath() + uri("/commit/"+x.x.HeadSHA) }

// URL is the address of that page.
func (x *checkSuite) URL() uri { return uri(x.r.s.host) + x.ResourcePath() }

// WorkflowRun is null: no Actions run here.
func (x *checkSuite) WorkflowRun() *workflowRun { return nil }

// checkRun is GitHub's CheckRun.
type checkRun struct {
	r   *repository
	run state.Run
}

func (r *repository) runNode(run state.Run) *checkRun { return &checkRun{r, run} }

// Annotations are the run's remarks on lines.
func (c *checkRun) Annotations(ctx context.Context, args slice) (*connection[annotation], error) {
	return paginate(ctx, args, listing[state.Annotation]{"annotations", c.run.Output.Annotations}, func(a state.Annotation) *annotation {
		return c.annotation(a)
	})
}

// annotation is GitHub's CheckAnnotation.
type annotation struct {
	AnnotationLevel *string
	BlobURL         uri
	Location        annotationSpan
	Message, Path   string
	RawDetails      *string
	Title           *string
}

type annotationSpan struct{ End, Start position }

type position struct {
	Column *int32
	Line   int32
}

func (c *checkRun) annotation(a state.Annotation) *annotation {
	column := func(n *int) *int32 {
		if n == nil {
			return nil
		}
		return small(int64(*n))
	}
	return &annotation{
		AnnotationLevel: upper(a.Level), Message: a.Message, Path: a.Path, RawDetails: orNull(a.RawDetails), Title: orNull(a.Title),
		BlobURL:  c.r.URL() + uri("/blob/"+c.run.HeadSHA+"/"+a.Path),
		Location: annotationSpan{Start: position{column(a.StartColumn), int32(a.StartLine)}, End: position{column(a.EndColumn), int32(a.EndLine)}},
	}
}

// CheckSuite is the suite that the run belongs to.
func (c *checkRun) CheckSuite() (*checkSuite, error) {
	x, err := c.r.s.store().SuiteByID(c.r.full(), c.run.Suite)
	if err != nil {
		return nil, err
	}
	return &checkSuite{c.r, *x}, nil
}

// StartedAt is when it began.
func (c *checkRun) StartedAt() *dateTime { return stamp(c.run.Started) }

// CompletedAt is when it ended, or null.
func (c *checkRun) CompletedAt() *dateTime { return stamp(c.run.Completed) }

// Conclusion is how it ended, or null.
func (c *checkRun) Conclusion() *string { return upper(c.run.Conclusion) }

// Status is how far it is.
func (c *checkRun) Status() string { return strings.ToUpper(c.run.Status) }

// DatabaseID is REST's id.
func (c *checkRun) DatabaseID() *int32 { return small(c.run.ID) }

// ID is REST's node_id.
func (c *checkRun) ID() gql.ID { return numberID("CheckRun", c.run.ID) }

// DetailsURL is the App's own page about the run, or the hub's.
func (c *checkRun) DetailsURL() *uri {
	u := uri(c.run.DetailsURL)
	if u == "" {
		u = c.URL()
	}
	return &u
}

// ExternalID is the App's own reference.
func (c *checkRun) ExternalID() *string { return orNull(c.run.ExternalID) }

// Name is the check's name.
func (c *checkRun) Name() string { return c.run.Name }

// Permalink is the page's address.
func (c *checkRun) Permalink() uri { return c.URL() }

// Repository is where it is.
func (c *checkRun) Repository() *repository { return c.r }

// ResourcePath is the page's path.
func (c *checkRun) ResourcePath() uri {
	return uri(strings.TrimPrefix(string(c.URL()), string(c.r.s.host)))
}

// URL is the page's address.
func (c *checkRun) URL() uri { return uri(c.r.s.host.Page("/%s/runs/%d", c.r.full(), c.run.ID)) }

// Title is the output's title.
func (c *checkRun) Title() *string { return c.run.Output.Title }

// Summary is the output's summary.
func (c *checkRun) Summary() *string { return c.run.Output.Summary }

// Text is the output's details.
func (c *checkRun) Text() *string { return c.run.Output.Text }

type requiredArgs struct {
	PullRequestID     *gql.ID
	PullRequestNumber *int32
}

// IsRequired says whether a pull request needs the check before it can be merged.
func (c *checkRun) IsRequired(ctx context.Context, args requiredArgs) (bool, error) {
	return c.r.required(ctx, state.RequiredCheck{Context: c.run.Name, Integration: c.run.App.ID}, args)
}

// required says whether the rules of a pull request's base want a check or status; Integration is the App that gave it.
func (r *repository) required(ctx context.Context, given state.RequiredCheck, args requiredArgs) (bool, error) {
	var p *state.Pull
	switch {
	case args.PullRequestID != nil:
		found, err := r.s.pullByID(ctx, *args.PullRequestID)
		if err != nil {
			return false, err
		}
		p = found
	case args.PullRequestNumber != nil:
		found, err := r.s.store().Pull(r.full(), int(*args.PullRequestNumber))
		if err != nil {
			return false, absent("Could not resolve to a PullRequest with the number of %d.", *args.PullRequestNumber)
		}
		p = found
	default:
		return false, &fault{"ARGUMENT_ERROR", "Either `pullRequestId` or `pullRequestNumber` must be given."}
	}
	wanted, err := r.s.store().RequiredChecks(p.Repo.FullName(), p.Base.Ref)
	return slices.ContainsFunc(wanted, func(w state.RequiredCheck) bool {
		return w.Context == given.Context && (w.Integration == 0 || w.Integration == given.Integration)
	}), err
}
