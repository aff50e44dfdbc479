package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) thread(t state.Thread) wire.Object { return c.host.Thread(c.repo, t) }

func getIssue(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	t, err := c.Store.Thread(c.name(), n)
	return shaped(t, err, c.thread)
}

// shaped answers with one thing that an operation returned.
func shaped[T any](x T, err error, shape func(T) wire.Object) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return ok(shape(x))
}

// made is shaped for what is new.
func made[T any](x T, err error, shape func(T) wire.Object) (reply, error) {
	r, err := shaped(x, err, shape)
	r.status = http.StatusCreated
	return r, err
}

// behind is a shape of what a pointer points to.
func behind[T any](shape func(T) wire.Object) func(*T) wire.Object {
	return func(x *T) wire.Object { return shape(*x) }
}

// gone answers where something was deleted.
func gone(err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return empty()
}

// threadFields read what lists of issues select and sort by.
type threadFields struct {
	state, creator, assignee, milestone string
	labels                              []string
	updated                             string
}

func fieldsOf(t state.Thread) (x state.Issue) {
	if t.Issue != nil {
		return *t.Issue
	}
	p := t.Pull
	return state.Issue{
		Number: p.Number, Title: p.Title, Body: p.Body, Author: p.Author, State: p.State, Labels: p.Labels, Assignees: p.Assignees,
		Milestone: p.Milestone, Comments: p.Comments, Created: p.Created, Updated: p.Updated, Closed: p.Closed,
	}
}

func (f threadFields) take(x state.Issue) bool {
	named := func(u state.User) bool { return strings.EqualFold(u.Login, f.assignee) }
	switch {
	case f.state != "all" && x.State != f.state,
		f.creator != "" && !strings.EqualFold(x.Author.Login, f.creator),
		f.assignee == "none" && len(x.Assignees) > 0,
		f.assignee == "*" && len(x.Assignees) == 0,
		f.assignee != "" && f.assignee != "none" && f.assignee != "*" && !slices.ContainsFunc(x.Assignees, named),
		f.milestone == "none" && x.Milestone != 0,
		f.milestone == "*" && x.Milestone == 0,
		f.updated != "" && x.Updated.Format("2006-01-02T15:04:05Z") < f.updated:
		return false
	}
	for _, want := range f.labels {
		if !slices.ContainsFunc(x.Labels, func(l state.Label) bool { return strings.EqualFold(l.Name, want) }) {
			return false
		}
	}
	return true
}

func listIssues(c *call) (reply, error) {
	f := threadFields{
		state: c.query("state"), creator: c.query("creator"), assignee: c.query("assignee"), milestone: c.query("milestone"), updated: c.query("since"),
	}
	if f.state == "" {
		f.state = "open"
	}
	if !slices.Contains([]string{"open", "closed", "all"}, f.state) {
		return reply{}, state.Invalid(state.Problem{Resource: "Issue", Field: "state", Code: "invalid"})
	}
	if text := c.query("labels"); text != "" {
		f.labels = strings.Split(text, ",")
	}
	all, err := c.Store.Threads(c.name())
	if err != nil {
		return reply{}, err
	}
	all = slices.DeleteFunc(all, func(t state.Thread) bool {
		x := fieldsOf(t)
		number := f.milestone != "" && f.milestone != "none" && f.milestone != "*"
		return !f.take(x) || (number && f.milestone != itoa(x.Milestone))
	})
	sortThreads(all, c.query("sort"), c.query("direction") == "asc")
	return listed(c, all, c.thread)
}

func sortThreads(all []state.Thread, by string, ascending bool) {
	slices.SortStableFunc(all, func(s, t state.Thread) int {
		x, y := fieldsOf(s), fieldsOf(t)
		order := x.Number - y.Number
		switch by {
		case "updated":
			if d := x.Updated.Compare(y.Updated); d != 0 {
				order = d
			}
		case "comments":
			if x.Comments != y.Comments {
				order = x.Comments - y.Comments
			}
		}
		if !ascending {
			return -order
		}
		return order
	})
}

// issueBody is the body of creating and of updating an issue.
type issueBody struct {
	Title     *title           `json:"title"`
	Body      *string          `json:"body"`
	State     *string          `json:"state"`
	Reason    *string          `json:"state_reason"`
	Labels    *[]labelName     `json:"labels"`
	Assignee  *string          `json:"assignee"`
	Assignees *[]string        `json:"assignees"`
	Milestone *json.RawMessage `json:"milestone"`
}

// title is a text or, as GitHub takes it, a number.
type title string

func (t *title) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if err := json.Unmarshal(raw, &n); err == nil && len(raw) > 0 && raw[0] != '"' {
		*t = title(n)
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*t = title(s)
	return err
}

// labelName is a label as a text or as an object with its name.
type labelName string

func (l *labelName) UnmarshalJSON(raw []byte) error {
	var o struct{ Name string }
	if err := json.Unmarshal(raw, &o); err == nil {
		*l = labelName(o.Name)
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*l = labelName(s)
	return err
}

func texts(in []labelName) []string {
	out := make([]string, len(in))
	for i, x := range in {
		out[i] = string(x)
	}
	return out
}

func (b issueBody) input() (state.IssueInput, error) {
	in := state.IssueInput{Title: (*string)(b.Title), Body: b.Body, State: b.State, Reason: b.Reason, Assignees: b.Assignees}
	if b.Labels != nil {
		names := texts(*b.Labels)
		in.Labels = &names
	}
	if b.Assignee != nil && b.Assignees == nil {
		in.Assignees = &[]string{*b.Assignee}
	}
	m, err := milestoneNumber(b.Milestone)
	in.Milestone = m
	return in, err
}

// milestoneNumber reads a number, its text, or null, which takes the milestone away.
func milestoneNumber(raw *json.RawMessage) (*int64, error) {
	if raw == nil {
		return nil, nil
	}
	var n json.Number
	if text := string(*raw); text != "null" {
		if err := json.Unmarshal(*raw, &n); err != nil {
			return nil, state.Invalid(state.Problem{Resource: "Issue", Field: "milestone", Code: "invalid"})
		}
	}
	var id int64
	if n != "" {
		var err error
		if id, err = n.Int64(); err != nil || id <= 0 {
			return nil, state.Invalid(state.Problem{Resource: "Issue", Field: "milestone", Code: "invalid"})
		}
	}
	return &id, nil
}

func createIssue(c *call) (reply, error) {
	var b issueBody
	if err := c.decode(&b); err != nil {
		return reply{}, err
	}
	in, err := b.input()
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.CreateIssue(c.actor, c.name(), in)
	return made(x, err, c.plainIssue)
}

func (c *call) plainIssue(x *state.Issue) wire.Object { return c.host.PlainIssue(c.repo, *x) }

// updateIssue changes a plain issue, or what an issue and a pull request have in common.
func updateIssue(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	var b issueBody
	if err := c.decode(&b); err != nil {
		return reply{}, err
	}
	in, err := b.input()
	if err != nil {
		return reply{}, err
	}
	t, err := c.Store.Thread(c.name(), n)
	if err != nil {
		return reply{}, err
	}
	if t.Issue != nil {
		x, err := c.Store.EditIssue(c.actor, c.name(), n, in)
		return shaped(x, err, c.plainIssue)
	}
	return c.updatePullAsIssue(t.Pull, in)
}

func (c *call) updatePullAsIssue(p *state.Pull, in state.IssueInput) (reply, error) {
	if _, err := c.Repos.EditPull(c.r.Context(), c.actor, c.name(), p.Number, state.PullEdit{Title: in.Title, Body: in.Body, State: in.State}); err != nil {
		return reply{}, err
	}
	if in.Labels != nil {
		if _, err := c.Store.SetLabels(c.actor, c.name(), p.Number, *in.Labels); err != nil {
			return reply{}, err
		}
	}
	if in.Assignees != nil {
		if _, err := c.Store.SetAssignees(c.actor, c.name(), p.Number, *in.Assignees); err != nil {
			return reply{}, err
		}
	}
	if in.Milestone != nil {
		if _, err := c.Store.SetMilestone(c.name(), p.Number, *in.Milestone); err != nil {
			return reply{}, err
		}
	}
	t, err := c.Store.Thread(c.name(), p.Number)
	return shaped(t, err, c.thread)
}

func (c *call) labels(t state.Thread, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Labels(c.repo, fieldsOf(t).Labels))
}

func listLabels(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	t, err := c.Store.Thread(c.name(), n)
	if err != nil {
		return reply{}, err
	}
	return listed(c, fieldsOf(t).Labels, c.label)
}

func (c *call) label(l state.Label) wire.Object { return c.host.Label(c.repo, l) }

// labelNames takes {"labels": [...]} and, as GitHub still does, a bare list.
func (c *call) labelNames() ([]string, error) {
	raw, err := c.read()
	if err != nil {
		return nil, err
	}
	var in struct{ Labels []labelName }
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '[' {
		raw = append(append([]byte(`{"labels":`), raw...), '}')
	}
	err = decodeObject(raw, &in)
	return texts(in.Labels), err
}

// relabelled changes the labels of {number} by the names in the body.
func relabelled(c *call, do func(a state.Actor, repo string, number int, names []string) (state.Thread, error)) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	names, err := c.labelNames()
	if err != nil {
		return reply{}, err
	}
	return c.labels(do(c.actor, c.name(), n, names))
}

func addLabels(c *call) (reply, error) { return relabelled(c, c.Store.PutLabels) }

func setLabels(c *call) (reply, error) { return relabelled(c, c.Store.SetLabels) }

func clearLabels(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	_, err = c.Store.SetLabels(c.actor, c.name(), n, nil)
	return gone(err)
}

func removeLabel(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	return c.labels(c.Store.TakeLabel(c.actor, c.name(), n, c.params["name"]))
}

func reassigned(c *call, do func(a state.Actor, repo string, number int, logins []string) (state.Thread, error)) (state.Thread, error) {
	n, err := c.number("number")
	if err != nil {
		return state.Thread{}, err
	}
	var in struct{ Assignees []string }
	if err := c.decode(&in); err != nil {
		return state.Thread{}, err
	}
	return do(c.actor, c.name(), n, in.Assignees)
}

func addAssignees(c *call) (reply, error) {
	t, err := reassigned(c, c.Store.AssignTo)
	return made(t, err, c.thread)
}

func removeAssignees(c *call) (reply, error) {
	t, err := reassigned(c, c.Store.Unassign)
	return shaped(t, err, c.thread)
}
