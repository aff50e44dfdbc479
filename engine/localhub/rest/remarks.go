package rest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) remark(x *state.Remark) wire.Object { return c.host.Remark(c.repo, *x) }

func (c *call) remarks(pull int, keep func(state.Remark) bool) (reply, error) {
	list, err := c.Store.Remarks(c.name(), pull)
	if err != nil {
		return reply{}, err
	}
	list = slices.DeleteFunc(list, func(x state.Remark) bool { return keep != nil && !keep(x) })
	return listed(c, list, func(x state.Remark) wire.Object { return c.remark(&x) })
}

func listAllRemarks(c *call) (reply, error) { return c.remarks(0, nil) }

func listRemarks(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return c.remarks(p.Number, nil)
}

func listReviewRemarks(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	if x, err := c.pending(p.Number, id); err != nil || x != nil {
		if err != nil {
			return reply{}, err
		}
		return listed(c, x.Remarks, func(x state.Remark) wire.Object { return c.remark(&x) })
	}
	if _, err := c.Store.Review(c.name(), p.Number, id); err != nil {
		return reply{}, err
	}
	return c.remarks(p.Number, func(x state.Remark) bool { return x.Review == id })
}

func (c *call) remarkByID() (*state.Remark, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Remark(c.name(), id)
}

func getRemark(c *call) (reply, error) {
	x, err := c.remarkByID()
	return shaped(x, err, c.remark)
}

func updateRemark(c *call) (reply, error) {
	x, err := c.remarkByID()
	if err != nil {
		return reply{}, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, err = c.Store.EditRemark(c.actor, c.name(), x.ID, in.Body)
	return shaped(x, err, c.remark)
}

func deleteRemark(c *call) (reply, error) {
	x, err := c.remarkByID()
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.DropRemark(c.actor, c.name(), x.ID))
}

// spot is where a remark is to be: a line of the diff, or a position in the file's patch.
type spot struct {
	Path      string `json:"path"`
	Body      string `json:"body"`
	Side      string `json:"side"`
	Line      int    `json:"line"`
	StartLine int    `json:"start_line"`
	Position  int    `json:"position"`
	CommitID  string `json:"commit_id"`
	InReplyTo int64  `json:"in_reply_to"`
}

const noLine = "pull_request_review_thread.line must be part of the diff"

// errNoLine is how a review is refused, whose errors are bare strings.
func errNoLine() error {
	r := state.Unprocessable("Unprocessable Entity")
	r.Problems = []state.Problem{{Message: noLine}}
	return r
}

// locate finds a spot in the files of a pull request.
func locate(files []git.File, in spot) (state.Remark, error) {
	x := state.Remark{Path: in.Path, Body: in.Body, Side: in.Side, Line: in.Line, StartLine: in.StartLine}
	if x.Side == "" {
		x.Side = "RIGHT"
	}
	at := slices.IndexFunc(files, func(f git.File) bool { return f.Path == in.Path })
	if at < 0 {
		return x, errNoLine()
	}
	lines := strings.Split(strings.TrimSuffix(files[at].Patch, "\n"), "\n")
	left, right, from := 0, 0, 0
	for i, text := range lines {
		if strings.HasPrefix(text, "@@") {
			left, right, from = hunkStart(text)-1, hunkEnd(text)-1, i
			continue
		}
		switch {
		case strings.HasPrefix(text, "-"):
			left++
		case strings.HasPrefix(text, "+"):
			right++
		default:
			left, right = left+1, right+1
		}
		line, shown := right, !strings.HasPrefix(text, "-")
		if x.Side == "LEFT" {
			line, shown = left, !strings.HasPrefix(text, "+")
		}
		if (in.Position > 0 && i == in.Position) || (in.Position == 0 && shown && line == in.Line) {
			if in.Position > 0 {
				x.Line = max(right, 1)
			}
			x.Position, x.Hunk = max(i, 1), strings.Join(lines[from:i+1], "\n")
			return x, nil
		}
	}
	return x, errNoLine()
}

// hunkStart and hunkEnd are the first lines of a hunk's old and new side ("@@ -1,2 +3,4 @@").
func hunkStart(head string) int { return hunkNumber(head, "-") }
func hunkEnd(head string) int   { return hunkNumber(head, "+") }

func hunkNumber(head, mark string) int {
	for _, f := range strings.Fields(head) {
		if text, ok := strings.CutPrefix(f, mark); ok {
			text, _, _ = strings.Cut(text, ",")
			n, err := strconv.Atoi(text)
			if err == nil {
				return n
			}
		}
	}
	return 1
}

// spots finds several places.
func (c *call) spots(p *state.Pull, list []spot) ([]state.Remark, error) {
	if len(list) == 0 {
		return nil, nil
	}
	files, err := c.Repos.PullFiles(c.r.Context(), p)
	if err != nil {
		return nil, err
	}
	var out []state.Remark
	for _, in := range list {
		x, err := locate(files, in)
		if err != nil {
			return nil, err
		}
		x.Pull, x.CommitID = p.Number, p.Head.SHA
		if in.CommitID != "" {
			x.CommitID = in.CommitID
		}
		out = append(out, x)
	}
	return out, nil
}

func createRemark(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var in spot
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.InReplyTo != 0 {
		return c.answerRemark(p, in.InReplyTo, in.Body)
	}
	if in.CommitID != "" {
		if err := c.holds(p, in.CommitID); err != nil {
			return reply{}, err
		}
	}
	list, err := c.spots(p, []spot{in})
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.AddRemark(c.actor, c.name(), list[0])
	return made(x, err, c.remark)
}

// holds refuses a commit that is not the pull request's.
func (c *call) holds(p *state.Pull, sha string) error {
	mine, err := c.Repos.Holds(c.r.Context(), p, sha)
	if err != nil {
		return err
	}
	if !mine {
		r := state.Unprocessable("Unprocessable Entity")
		r.Problems = []state.Problem{{Message: "commit_id is not part of the pull request"}}
		return r
	}
	return nil
}

func replyRemark(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	x, err := c.remarkByID()
	if err != nil {
		return reply{}, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	return c.answerRemark(p, x.ID, in.Body)
}

// answerRemark answers the first remark of a thread, at the same place.
func (c *call) answerRemark(p *state.Pull, to int64, body string) (reply, error) {
	first, err := c.Store.Remark(c.name(), to)
	if err != nil || first.Pull != p.Number {
		return reply{}, state.NotFound()
	}
	x := *first
	x.Body, x.Review, x.Reactions, x.Reply = body, 0, nil, first.ID
	if first.Reply != 0 {
		x.Reply = first.Reply
	}
	out, err := c.Store.AddRemark(c.actor, c.name(), x)
	return made(out, err, c.remark)
}

// updateBranch merges the base branch into the head.
func updateBranch(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Expected string `json:"expected_head_sha"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := c.Repos.Update(c.r.Context(), c.actor, c.name(), p.Number, in.Expected); err != nil {
		return reply{}, err
	}
	return reply{status: 202, body: wire.Object{
		"message": "Updating pull request branch.", "url": c.host.API("/repos/%s/pulls/%d", c.name(), p.Number),
	}}, nil
}
