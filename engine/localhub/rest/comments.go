package rest

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

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
	return listed(c, c.since(list), c.comment)
}

// since keeps the comments that changed at or after the query's time.
func (c *call) since(list []state.Comment) []state.Comment {
	at := c.query("since")
	return slices.DeleteFunc(list, func(x state.Comment) bool { return at != "" && x.Updated.Format("2006-01-02T15:04:05Z") < at })
}

func listAllComments(c *call) (reply, error) {
	list, err := c.Store.AllComments(c.name())
	if err != nil {
		return reply{}, err
	}
	return listed(c, c.since(list), c.comment)
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
	return made(x, err, behind(c.comment))
}

func getComment(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.Comment(c.name(), id)
	return shaped(x, err, behind(c.comment))
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
	return shaped(x, err, behind(c.comment))
}

func deleteComment(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.DeleteComment(c.actor, c.name(), id))
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
	return c.reactions(x.Reactions)
}

func (c *call) reactions(list []state.Reaction) (reply, error) {
	word := c.query("content")
	list = slices.DeleteFunc(slices.Clone(list), func(x state.Reaction) bool { return word != "" && x.Content != word })
	return listed(c, list, c.host.Reaction)
}

// reacted reads a reaction and answers 200 where the actor had given the same one before.
func reacted(c *call, do func(content string) (state.Reaction, bool, error)) (reply, error) {
	var in struct{ Content string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, fresh, err := do(in.Content)
	if err != nil {
		return reply{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return reply{status: status, body: c.host.Reaction(x)}, nil
}

func createReaction(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	return reacted(c, func(content string) (state.Reaction, bool, error) {
		return c.Store.React(c.actor, c.name(), id, content)
	})
}

func deleteReaction(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	reaction, err := c.id("reaction")
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.Unreact(c.actor, c.name(), id, reaction))
}

func listIssueReactions(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	t, err := c.Store.Thread(c.name(), n)
	if err != nil {
		return reply{}, err
	}
	if t.Pull != nil {
		return c.reactions(t.Pull.Reactions)
	}
	return c.reactions(t.Issue.Reactions)
}

func createIssueReaction(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	return reacted(c, func(content string) (state.Reaction, bool, error) {
		return c.Store.ReactTo(c.actor, c.name(), n, content)
	})
}

func deleteIssueReaction(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	reaction, err := c.id("reaction")
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.UnreactTo(c.actor, c.name(), n, reaction))
}
