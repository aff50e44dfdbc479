package rest

import (
	"bytes"
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func getIssue(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Issue(p))
}

func (c *call) comment(x state.Comment) wire.Object { return c.host.Comment(c.repo, x) }

func listComments(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.Comments(c.name(), n)
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, c.comment)
}

func createComment(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, err := c.Store.AddComment(c.actor, c.name(), n, in.Body)
	if err != nil {
		return reply{}, err
	}
	return created(c.comment(*x))
}

func getComment(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.Comment(c.name(), id)
	if err != nil {
		return reply{}, err
	}
	return ok(c.comment(*x))
}

func updateComment(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, err := c.Store.EditComment(c.actor, c.name(), id, in.Body)
	if err != nil {
		return reply{}, err
	}
	return ok(c.comment(*x))
}

func deleteComment(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	if err := c.Store.DeleteComment(c.actor, c.name(), id); err != nil {
		return reply{}, err
	}
	return empty()
}

func listReactions(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.Comment(c.name(), id)
	if err != nil {
		return reply{}, err
	}
	return listed(c, x.Reactions, c.host.Reaction)
}

func createReaction(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	var in struct{ Content string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, fresh, err := c.Store.React(c.actor, c.name(), id, in.Content)
	if err != nil {
		return reply{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return reply{status: status, body: c.host.Reaction(x)}, nil
}

func listLabels(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Labels(p))
}

// addLabels takes {"labels": [...]} and, as GitHub still does, a bare list.
func addLabels(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	raw, err := c.read()
	if err != nil {
		return reply{}, err
	}
	var in struct{ Labels []string }
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '[' {
		raw = append(append([]byte(`{"labels":`), raw...), '}')
	}
	if err := decodeObject(raw, &in); err != nil {
		return reply{}, err
	}
	p, err := c.Store.AddLabels(c.actor, c.name(), n, in.Labels)
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Labels(p))
}

func removeLabel(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	p, err := c.Store.RemoveLabel(c.actor, c.name(), n, c.params["name"])
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Labels(p))
}

func addAssignees(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	var in struct{ Assignees []string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	p, err := c.Store.Assign(c.actor, c.name(), n, in.Assignees)
	if err != nil {
		return reply{}, err
	}
	return created(c.host.Issue(p))
}
