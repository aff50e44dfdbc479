package rest

import (
	"bytes"
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// What GitHub prints of a pull request at most ("Repository limits"): lines and files.
const (
	maxDiffLines = 20_000
	maxDiffFiles = 300
)

// printed answers a comparison in one of the media types "diff" and "patch". It is false when neither is asked for.
func (c *call) printed(from, to string) (reply, bool, error) {
	kind, printer := "diff", c.Repos.Diff
	if accepts(c.r, "patch") {
		kind, printer = "patch", c.Repos.Patch
	} else if !accepts(c.r, "diff") {
		return reply{}, false, nil
	}
	text, err := printer(c.r.Context(), c.name(), from, to)
	return reply{status: http.StatusOK, text: text, media: "application/vnd.github.v3." + kind + "; charset=utf-8"}, true, err
}

// printedPull is printed for a pull request, of which GitHub prints no more than its limits.
func (c *call) printedPull(p *state.Pull) (reply, bool, error) {
	if !accepts(c.r, "diff") && !accepts(c.r, "patch") {
		return reply{}, false, nil
	}
	ctx, tip := c.r.Context(), c.Repos.BaseOf(c.r.Context(), p)
	base, err := c.Repos.MergeBase(ctx, c.name(), tip, p.Head.SHA)
	if err != nil {
		return reply{}, true, err
	}
	answer, _, err := c.printed(base, p.Head.SHA)
	if err != nil {
		return reply{}, true, err
	}
	switch {
	case p.Stats.Files > maxDiffFiles:
		return reply{}, true, tooLarge("number of files (300)")
	case bytes.Count(answer.text, []byte("\n")) > maxDiffLines:
		return reply{}, true, tooLarge("number of lines (20000)")
	}
	return answer, true, nil
}

func tooLarge(what string) *state.Refusal {
	message := "Sorry, the diff exceeded the maximum " + what + ". Consider using 'List pull requests files' API or locally cloning the repository instead."
	return &state.Refusal{
		Status: http.StatusNotAcceptable, Message: message,
		Problems: []state.Problem{{Resource: "PullRequest", Field: "diff", Code: "too_large"}},
	}
}
