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

// said is a comment or a review.
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
}

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
