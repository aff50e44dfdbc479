package pages

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

type pullPage struct {
	*state.Pull
	Body     template.HTML
	Status   string // open, draft, merged, closed
	Timeline []said
	Votes    []said // each person's latest opinion
	Commits  []commitRow
	Checks   []checkRow
	Files    fileList
	Merge    mergeBox
	Own      bool // the viewer opened it
}

// said is a comment or a review.
type said struct {
	id     int64
	Anchor string
	User   state.User
	Verb   string // commented, approved, requested changes, dismissed
	State  string // of a review, lower case; empty for a comment
	At     time.Time
	Edited bool
	Commit string
	Stale  bool // the review was of an earlier commit
	Body   template.HTML
}

type commitRow struct {
	git.Commit
	Rest   string // the message after its subject
	Checks []checkRow
}

type checkRow struct {
	state.Run
	Mark          string // ok, bad, wait, act, skip: the picture and colour
	Word          string
	Took          string
	Summary, Text template.HTML
}

type mergeBox struct {
	Can    bool
	Why    string // why the button cannot be pressed
	Checks string // the head's checks in one sentence
	Mark   string
}

func (v *visit) pull() (*state.Pull, error) {
	r, err := v.repo()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(v.r.PathValue("number"))
	if err != nil {
		return nil, state.NotFound()
	}
	return v.Store.Pull(r.FullName(), n)
}

func pull(v *visit) error {
	p, err := v.pull()
	if err != nil {
		return err
	}
	page := pullPage{Pull: p, Body: v.render(v.comment, p.Body), Status: status(p), Own: p.Author.ID == v.actor.User.ID}
	for _, part := range []func(*visit, *pullPage) error{conversation, commitsAndChecks, changedFiles, merging} {
		if err := part(v, &page); err != nil {
			return err
		}
	}
	return v.show("pull", fmt.Sprintf("%s · #%d", p.Title, p.Number), http.StatusOK, page)
}

func status(p *state.Pull) string {
	switch {
	case p.Merged:
		return "merged"
	case !p.Open():
		return "closed"
	case p.Draft:
		return "draft"
	}
	return "open"
}

// live answers the page's version, which the script asks for every few seconds.
func live(v *visit) error {
	p, err := v.pull()
	if err != nil {
		return err
	}
	version := strconv.FormatInt(p.Revision, 10)
	v.w.Header().Set("ETag", `"`+version+`"`)
	if v.r.Header.Get("If-None-Match") == `"`+version+`"` {
		v.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := v.w.Write([]byte(version)); err != nil {
		v.Logger.Debug("write a version", "error", err)
	}
	return nil
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
			Body: v.render(v.comment, c.Body),
		})
	}
	reviews, err := v.Store.Reviews(repo, number)
	if err != nil {
		return err
	}
	verbs := map[string]string{
		state.ReviewApproved: "approved", state.ReviewChanges: "requested changes", state.ReviewCommented: "reviewed",
		state.ReviewDismissed: "reviewed (dismissed)",
	}
	votes := map[int64]said{}
	for _, r := range reviews {
		x := said{
			id: r.ID, Anchor: fmt.Sprintf("pullrequestreview-%d", r.ID), User: r.User, Verb: verbs[r.State], State: strings.ToLower(r.State),
			At: r.Submitted, Edited: !r.Edited.IsZero(), Commit: r.CommitID, Stale: r.CommitID != page.Head.SHA,
			Body: v.render(v.comment, r.Body),
		}
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

func commitsAndChecks(v *visit, page *pullPage) error {
	commits, err := v.Repos.PullCommits(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	for _, c := range commits {
		row, err := v.commitRow(page.Repo.FullName(), c)
		if err != nil {
			return err
		}
		page.Commits = append(page.Commits, row)
		page.Checks = append(page.Checks, row.Checks...)
	}
	return nil
}

func (v *visit) commitRow(repo string, c git.Commit) (commitRow, error) {
	runs, err := v.Store.Runs(repo, c.SHA, state.RunFilter{})
	if err != nil {
		return commitRow{}, err
	}
	_, rest, _ := strings.Cut(c.Message, "\n")
	row := commitRow{Commit: c, Rest: strings.TrimSpace(rest)}
	for _, r := range slices.Backward(runs) {
		row.Checks = append(row.Checks, v.checkRow(r))
	}
	return row, nil
}

func (v *visit) checkRow(r state.Run) checkRow {
	row := checkRow{Run: r, Word: strings.ReplaceAll(r.Conclusion, "_", " ")}
	switch r.Conclusion {
	case "success":
		row.Mark = "ok"
	case "failure", "timed_out":
		row.Mark = "bad"
	case "action_required":
		row.Mark = "act"
	case "":
		row.Mark, row.Word = "wait", strings.ReplaceAll(r.Status, "_", " ")
	default:
		row.Mark = "skip"
	}
	if !r.Completed.IsZero() && r.Completed.After(r.Started) {
		row.Took = r.Completed.Sub(r.Started).String()
	}
	if r.Output.Summary != nil {
		row.Summary = v.render(v.document, *r.Output.Summary)
	}
	if r.Output.Text != nil {
		row.Text = v.render(v.document, *r.Output.Text)
	}
	return row
}

func changedFiles(v *visit, page *pullPage) error {
	files, err := v.Repos.PullFiles(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	page.Files = showFiles(files)
	return nil
}

func merging(v *visit, page *pullPage) error {
	box := &page.Merge
	head := headChecks(page)
	box.Checks, box.Mark = summarise(head)
	if !page.Open() {
		return nil
	}
	why, err := v.whyNot(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	box.Why, box.Can = why, why == ""
	return nil
}

func headChecks(page *pullPage) []checkRow {
	for _, c := range page.Commits {
		if c.SHA == page.Head.SHA {
			return c.Checks
		}
	}
	return nil
}

func summarise(checks []checkRow) (text, mark string) {
	count := map[string]int{}
	for _, c := range checks {
		count[c.Mark]++
	}
	switch {
	case len(checks) == 0:
		return "No checks have reported on the last commit.", "skip"
	case count["bad"] > 0:
		return fmt.Sprintf("%d of %d checks on the last commit failed.", count["bad"], len(checks)), "bad"
	case count["act"] > 0:
		return fmt.Sprintf("%d of %d checks on the last commit need somebody to act.", count["act"], len(checks)), "act"
	case count["wait"] > 0:
		return fmt.Sprintf("%d of %d checks on the last commit have not finished.", count["wait"], len(checks)), "wait"
	}
	return "All checks on the last commit have passed.", "ok"
}

// whyNot is why the viewer cannot merge now, or "".
func (v *visit) whyNot(ctx context.Context, p *state.Pull) (string, error) {
	if v.actor.Anonymous() {
		return "Choose who you are to merge.", nil
	}
	role, _, err := v.Store.RoleOf(p.Repo.FullName(), v.actor.User.Login)
	if err != nil {
		return "", err
	}
	if role < state.Write {
		return "Only people with write access may merge.", nil
	}
	clean, err := v.Repos.Mergeable(ctx, p)
	if err != nil {
		return "", err
	}
	if !clean {
		return "The branch conflicts with " + p.Base.Ref + ".", nil
	}
	return v.Store.Blocked(p.Repo.FullName(), p.Number)
}
