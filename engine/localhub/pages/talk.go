package pages

import (
	"fmt"
	"html/template"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// said is a comment, a review or a remark on a line.
type said struct {
	id        int64
	Anchor    string
	User      state.User
	Verb      string // commented, approved, requested changes, dismissed
	State     string // of a review, lower case; empty for a comment
	At        time.Time
	Edited    bool
	Commit    string
	Stale     bool // the review was of an earlier commit
	Body      template.HTML
	Reactions []reaction
	Place     string // of a remark: path and line
	Lines     []line // of a remark: the end of the hunk that it is about
}

// remarkLines is how many lines of a hunk stand above a remark.
const remarkLines = 4

// reaction is one of GitHub's words and who gave it.
type reaction struct {
	Word   string
	Logins string
	Count  int
}

func conversation(v *visit, page *pullPage) error {
	repo, number := page.Repo.FullName(), page.Number
	comments, err := v.Store.Comments(repo, number)
	if err != nil {
		return err
	}
	for _, c := range comments {
		page.Timeline = append(page.Timeline, said{
			id: c.ID, Anchor: fmt.Sprintf("issuecomment-%d", c.ID), User: c.User, Verb: "commented", At: c.Created, Edited: c.Edited,
			Body: v.render(v.comment, c.Body), Reactions: reactions(c.Reactions),
		})
	}
	reviews, err := v.Store.Reviews(repo, number)
	if err != nil {
		return err
	}
	remarks, err := v.Store.Remarks(repo, number)
	if err != nil {
		return err
	}
	for _, r := range remarks {
		lines := diffLines(r.Hunk)
		page.Timeline = append(page.Timeline, said{
			id: r.ID, Anchor: fmt.Sprintf("discussion_r%d", r.ID), User: r.User, Verb: "remarked", At: r.Created, Edited: r.Updated.After(r.Created),
			Commit: r.CommitID, Stale: r.CommitID != page.Head.SHA, Body: v.render(v.comment, r.Body), Reactions: reactions(r.Reactions),
			Place: fmt.Sprintf("%s:%d", r.Path, r.Line), Lines: lines[max(len(lines)-remarkLines, 0):],
		})
	}
	votes := map[int64]said{}
	for _, r := range reviews {
		x := v.review(page, r)
		page.Timeline = append(page.Timeline, x)
		if _, voted := votes[r.User.ID]; !voted || r.State != state.ReviewCommented {
			votes[r.User.ID] = x
		}
	}
	// Ids grow with time, and finer than the clock.
	sort.Slice(page.Timeline, func(i, j int) bool { return page.Timeline[i].id < page.Timeline[j].id })
	for _, x := range votes {
		page.Votes = append(page.Votes, x)
	}
	sort.Slice(page.Votes, func(i, j int) bool { return page.Votes[i].User.Login < page.Votes[j].User.Login })
	return nil
}

func (v *visit) review(page *pullPage, r state.Review) said {
	verbs := map[string]string{
		state.ReviewApproved: "approved", state.ReviewChanges: "requested changes", state.ReviewCommented: "reviewed",
		state.ReviewDismissed: "reviewed (dismissed)",
	}
	return said{
		id: r.ID, Anchor: fmt.Sprintf("pullrequestreview-%d", r.ID), User: r.User, Verb: verbs[r.State], State: strings.ToLower(r.State),
		At: r.Submitted, Edited: !r.Edited.IsZero(), Commit: r.CommitID, Stale: r.CommitID != page.Head.SHA,
		Body: v.render(v.comment, r.Body),
	}
}

func reactions(given []state.Reaction) []reaction {
	var out []reaction
	for _, g := range given {
		i := slices.IndexFunc(out, func(r reaction) bool { return r.Word == g.Content })
		if i < 0 {
			out = append(out, reaction{Word: g.Content, Logins: g.User.Login, Count: 1})
			continue
		}
		out[i].Count++
		out[i].Logins += ", " + g.User.Login
	}
	return out
}
