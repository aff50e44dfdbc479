package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/proposal"
)

// mostRemarks is how many annotations one request may bring ("Create a check run" in GitHub's description of its REST API).
const mostRemarks = 50

// Proposals lists the open pull requests to the default branch, those of incidents included, and those to incidents' branches.
func (c *Client) Proposals(ctx context.Context) ([]proposal.Pull, error) {
	list, err := pages(c, "list the open pull requests", func(p gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.hub.PullRequests.List(ctx, c.owner, c.repo, &gh.PullRequestListOptions{State: "open", ListOptions: p})
	}, nil)
	if err != nil {
		return nil, err
	}
	var out []proposal.Pull
	for _, p := range list {
		one := proposal.Pull{Number: p.GetNumber(), Head: p.GetHead().GetSHA(), Branch: p.GetHead().GetRef(), Fork: !c.isOwn(p.GetHead().GetRepo())}
		switch base := p.GetBase().GetRef(); {
		case !plain(one.Head):
		case strings.HasPrefix(base, incident.BranchPrefix):
			one.Base = base
			out = append(out, one)
		case base == c.defaultBranch:
			out = append(out, one)
		}
	}
	return out, nil
}

// errMoved says that the hub lists the files of another head: somebody has pushed. The next look asks again.
var errMoved = errors.New("the pull request has moved on")

// Changes lists what the head of a pull request changes. The hub lists the files of the head that there is when it is asked;
// where that is another one, there is an error, so that whoever pushes at the right moment does not get one commit checked for
// the changes of another. Of one that changes more files than the hub lists, the error is proposal.ErrTooLarge.
func (c *Client) Changes(ctx context.Context, pull proposal.Pull) ([]proposal.Change, error) {
	op := fmt.Sprintf("list the files of pull request %d", pull.Number)
	list, err := pages(c, op, func(p gh.ListOptions) ([]*gh.CommitFile, *gh.Response, error) {
		return c.hub.PullRequests.ListFiles(ctx, c.owner, c.repo, pull.Number, &p)
	}, nil)
	if errors.Is(err, errPages) {
		return nil, fmt.Errorf("%w: %w", proposal.ErrTooLarge, err)
	}
	if err != nil {
		return nil, err
	}
	told := false
	for _, f := range list {
		if f.GetStatus() == "removed" {
			continue // it is in no commit of the pull request
		}
		if told = true; !strings.HasSuffix(f.GetContentsURL(), "?ref="+pull.Head) {
			return nil, fmt.Errorf("%s: %w", op, errMoved)
		}
	}
	if !told {
		if list, err = c.compared(ctx, pull); err != nil {
			return nil, err
		}
	}
	return changesOf(list), nil
}

// compared lists what a commit changes by comparing it: slower, of at most 300 files ("Compare two commits" in GitHub's
// description of its REST API), and of that commit whatever is pushed.
func (c *Client) compared(ctx context.Context, pull proposal.Pull) (files []*gh.CommitFile, err error) {
	const most = 300
	base := cmp.Or(pull.Base, c.defaultBranch)
	err = c.read(fmt.Sprintf("compare pull request %d with %s", pull.Number, line(base)), func() error {
		found, _, err := c.hub.Repositories.CompareCommits(ctx, c.owner, c.repo, base, pull.Head, &gh.ListOptions{PerPage: 1})
		if err == nil {
			files = found.Files
		}
		return err
	})
	if err == nil && len(files) >= most {
		return nil, proposal.ErrTooLarge
	}
	return files, err
}

func changesOf(list []*gh.CommitFile) (out []proposal.Change) {
	for _, f := range list {
		switch f.GetStatus() {
		case "removed":
			out = append(out, proposal.Change{Path: f.GetFilename(), Gone: true})
		case "renamed":
			out = append(out, proposal.Change{Path: f.GetPreviousFilename(), Gone: true}, proposal.Change{Path: f.GetFilename()})
		default:
			out = append(out, proposal.Change{Path: f.GetFilename(), Mode: f.GetStatus() == "changed" || f.GetStatus() == "modified" && f.GetChanges() == 0})
		}
	}
	return out
}

// Vetted reports whether a commit has the App's own finished check of a proposal.
func (c *Client) Vetted(ctx context.Context, commit string) (bool, error) {
	name, all := incident.RollupName, "all"
	runs, err := pages(c, "read the checks of "+line(commit), func(p gh.ListOptions) ([]*gh.CheckRun, *gh.Response, error) {
		list, resp, err := c.hub.Checks.ListCheckRunsForRef(ctx, c.owner, c.repo, commit,
			&gh.ListCheckRunsOptions{CheckName: &name, Filter: &all, AppID: &c.app, ListOptions: p})
		if err != nil {
			return nil, resp, err
		}
		return list.CheckRuns, resp, nil
	}, nil)
	for _, r := range runs {
		if r.GetApp().GetID() == c.app && r.GetExternalID() == proposal.Checked && r.GetStatus() == "completed" {
			return true, nil
		}
	}
	return false, err
}

// Report publishes the check of a proposal on its head. One with more remarks than fit into one request is in progress until
// the last of them is there: a report that was cut off is not taken for a finished one, and the next replaces it.
func (c *Client) Report(ctx context.Context, r proposal.Check) error {
	op := fmt.Sprintf("publish the check of pull request %d on %s", r.Pull.Number, line(r.Pull.Head))
	whole := incident.CheckRun{Name: incident.RollupName, Commit: r.Pull.Head, ExternalID: proposal.Checked, Status: "completed",
		Conclusion: r.Conclusion, Title: r.Title, Summary: r.Summary}
	first := whole
	if len(r.Annotations) > mostRemarks {
		first.Status, first.Conclusion = "in_progress", ""
	}
	opts, err := checkOptions(first)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	opts.Output.Annotations = remarks(r.Annotations, 0)
	var made *gh.CheckRun
	err = c.write(ctx, Ordinary, op, func() (err error) {
		made, _, err = c.hub.Checks.CreateCheckRun(ctx, c.owner, c.repo, opts)
		return err
	})
	for from := mostRemarks; err == nil && from < len(r.Annotations); from += mostRemarks {
		more := gh.UpdateCheckRunOptions{Name: opts.Name, Output: &gh.CheckRunOutput{Title: opts.Output.Title, Summary: opts.Output.Summary,
			Annotations: remarks(r.Annotations, from)}}
		if from+mostRemarks >= len(r.Annotations) {
			more.Status, more.Conclusion = &whole.Status, &whole.Conclusion
		}
		err = c.write(ctx, Ordinary, op, func() error {
			_, _, err := c.hub.Checks.UpdateCheckRun(ctx, c.owner, c.repo, made.GetID(), more)
			return err
		})
	}
	return err
}

// remarks are the annotations of one request.
func remarks(all []proposal.Annotation, from int) (out []*gh.CheckRunAnnotation) {
	const most = 64 << 10 // bytes of a message, in GitHub's description
	level := "failure"
	for _, a := range all[from:min(len(all), from+mostRemarks)] {
		out = append(out, &gh.CheckRunAnnotation{Path: &a.Path, StartLine: &a.Line, EndLine: &a.Line, AnnotationLevel: &level,
			Title: optional(cut(a.Title, maxTitle)), Message: new(cut(a.Text, most))})
	}
	return out
}
