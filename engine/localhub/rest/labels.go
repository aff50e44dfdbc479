package rest

import (
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func listRepoLabels(c *call) (reply, error) {
	list, err := c.Store.Labels(c.name())
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, c.label)
}

func getLabel(c *call) (reply, error) {
	list, err := c.Store.Labels(c.name())
	if err != nil {
		return reply{}, err
	}
	for _, l := range list {
		if strings.EqualFold(l.Name, c.params["name"]) {
			return ok(c.label(l))
		}
	}
	return reply{}, state.NotFound()
}

func saveLabel(c *call, name string) (*state.Label, error) {
	var in struct {
		Name, Color, Description *string
		NewName                  *string `json:"new_name"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if name != "" {
		in.Name = in.NewName
	}
	return c.Store.SaveLabel(c.actor, c.name(), name, state.LabelInput{Name: in.Name, Color: in.Color, Description: in.Description})
}

func (c *call) labelOf(l *state.Label) wire.Object { return c.label(*l) }

func createLabel(c *call) (reply, error) {
	l, err := saveLabel(c, "")
	return made(l, err, c.labelOf)
}

func updateLabel(c *call) (reply, error) {
	l, err := saveLabel(c, c.params["name"])
	return shaped(l, err, c.labelOf)
}

func deleteLabel(c *call) (reply, error) {
	return gone(c.Store.DropLabel(c.actor, c.name(), c.params["name"]))
}

func (c *call) milestone(m *state.Milestone) wire.Object { return c.host.Milestone(c.repo, *m) }

func listMilestones(c *call) (reply, error) {
	list, err := c.Store.Milestones(c.name())
	if err != nil {
		return reply{}, err
	}
	want := c.query("state")
	if want == "" {
		want = "open"
	}
	list = slices.DeleteFunc(list, func(m state.Milestone) bool { return want != "all" && m.State != want })
	return listed(c, list, func(m state.Milestone) wire.Object { return c.milestone(&m) })
}

func getMilestone(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	m, err := c.Store.Milestone(c.name(), n)
	return shaped(m, err, c.milestone)
}

func (c *call) saveMilestone(number int64) (*state.Milestone, error) {
	var in struct {
		Title, Description, State *string
		Due                       *time.Time `json:"due_on"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return c.Store.SaveMilestone(c.actor, c.name(), number, state.MilestoneInput{
		Title: in.Title, Description: in.Description, State: in.State, Due: in.Due,
	})
}

func createMilestone(c *call) (reply, error) {
	m, err := c.saveMilestone(0)
	return made(m, err, c.milestone)
}

func updateMilestone(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	m, err := c.saveMilestone(n)
	return shaped(m, err, c.milestone)
}

func deleteMilestone(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.DropMilestone(c.name(), n))
}

func listAssignees(c *call) (reply, error) {
	users, _, err := c.Store.Collaborators(c.name())
	if err != nil {
		return reply{}, err
	}
	return listed(c, users, c.host.User)
}

// updateRepo changes a repository's settings.
func updateRepo(c *call) (reply, error) {
	var in struct {
		Description   *string `json:"description"`
		DefaultBranch *string `json:"default_branch"`
		Homepage      *string `json:"homepage"`
		Private       *bool   `json:"private"`
		MergeCommit   *bool   `json:"allow_merge_commit"`
		Squash        *bool   `json:"allow_squash_merge"`
		Rebase        *bool   `json:"allow_rebase_merge"`
		DeleteBranch  *bool   `json:"delete_branch_on_merge"`
		UpdateBranch  *bool   `json:"allow_update_branch"`
		AutoMerge     *bool   `json:"allow_auto_merge"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.DefaultBranch != nil {
		if _, err := c.Repos.Branch(c.r.Context(), c.name(), *in.DefaultBranch); err != nil {
			return reply{}, state.Invalid(state.Problem{Resource: "Repository", Field: "default_branch", Code: "invalid"})
		}
	}
	r, err := c.Store.EditRepo(c.name(), state.RepoEdit{
		Description: in.Description, DefaultBranch: in.DefaultBranch, Homepage: in.Homepage, Private: in.Private, MergeCommit: in.MergeCommit,
		Squash: in.Squash, Rebase: in.Rebase, DeleteBranch: in.DeleteBranch, UpdateBranch: in.UpdateBranch, AutoMerge: in.AutoMerge,
	})
	if err != nil {
		return reply{}, err
	}
	c.repo = r
	return getRepo(c)
}
