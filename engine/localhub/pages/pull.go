package pages

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

type pullPage struct {
	*state.Pull
	Body     template.HTML
	Status   string // open, draft, merged, closed
	Waits    *checkRow
	Timeline []said
	Votes    []said // each person's latest opinion
	Commits  commitList
	Checks   checkList
	Files    fileList
	Merge    mergeBox
	Own      bool   // the viewer opened it
	At       string // the commit that the review form begins with
}

// commitList is the commits in the order of the branch, the earlier of many apart.
type commitList struct {
	Earlier, Latest []commitRow
}

// All lists every commit, newest first.
func (l commitList) All() []commitRow {
	all := slices.Concat(l.Earlier, l.Latest)
	slices.Reverse(all)
	return all
}

// Len is how many commits are listed.
func (l commitList) Len() int { return len(l.Earlier) + len(l.Latest) }

// shownCommits is how many commits a pull request shows without unfolding.
const shownCommits = 30

type commitRow struct {
	git.Commit
	Rest   string // the message after its subject
	Checks []checkRow
	Sum    checkSum
}

// commitInList is a commit with the repository that its link is in.
type commitInList struct {
	Repo string
	Row  commitRow
}

type mergeBox struct {
	Can     bool
	Why     string // why the button cannot be pressed
	Checks  checkSum
	Methods []method // to choose from; none where there is only one
	Close   string   // what the viewer may make of the pull request: "closed", "open" or nothing
}

// method is a way to merge, and its name on the page.
type method struct{ Name, Words string }

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
	page := pullPage{Pull: p, Body: v.render(v.comment, p.Body), Status: status(p), Own: p.Author.ID == v.actor.User.ID, At: p.Head.SHA}
	for _, part := range []func(*visit, *pullPage) error{conversation, commitsAndChecks, changedFiles, merging} {
		if err := part(v, &page); err != nil {
			return err
		}
	}
	return v.show("pull", fmt.Sprintf("%s · #%d", p.Title, p.Number), http.StatusOK, page)
}

// pullPart leads from the address of a part on GitHub to the one page that has them all. A browser keeps the fragment,
// such as that of a file, over the redirect.
func pullPart(v *visit) error {
	p, err := v.pull()
	if err != nil {
		return err
	}
	part := v.r.PathValue("part")
	if !slices.Contains([]string{"files", "commits", "checks"}, part) {
		return state.NotFound()
	}
	http.Redirect(v.w, v.r, fmt.Sprintf("/%s/pull/%d", p.Repo.FullName(), p.Number), http.StatusFound)
	return nil
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

func commitsAndChecks(v *visit, page *pullPage) error {
	commits, err := v.Repos.PullCommits(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	var rows []commitRow
	var head, earlier []checkRow
	for _, c := range commits {
		row, err := v.commitRow(page.Repo.FullName(), c)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		if c.SHA == page.Head.SHA {
			head = row.Checks
		} else {
			earlier = append(earlier, row.Checks...)
		}
		if c.SHA == v.r.URL.Query().Get("at") {
			page.At = c.SHA
		}
	}
	cut := max(len(rows)-shownCommits, 0)
	page.Commits = commitList{Earlier: rows[:cut], Latest: rows[cut:]}
	page.Checks = sortChecks(slices.Concat(head, earlier))
	page.Merge.Checks = sum(head)
	page.Waits = waits(page.Pull, head)
	return nil
}

func (v *visit) commitRow(repo string, c git.Commit) (commitRow, error) {
	checks, err := v.checks(repo, c.SHA)
	if err != nil {
		return commitRow{}, err
	}
	return commitRow{Commit: c, Rest: body(c), Checks: checks, Sum: sum(checks)}, nil
}

func changedFiles(v *visit, page *pullPage) error {
	files, err := v.Repos.PullFiles(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	page.Files = showFiles(files, page.Repo.FullName(), page.Head.SHA)
	return nil
}

func merging(v *visit, page *pullPage) error {
	if err := closing(v, page); err != nil || !page.Open() {
		return err
	}
	if all := page.Repo.Methods(); len(all) > 1 {
		words := map[string]string{"merge": "with a merge commit", "squash": "as one commit", "rebase": "commit by commit, rebased"}
		for _, name := range all {
			page.Merge.Methods = append(page.Merge.Methods, method{name, words[name]})
		}
	}
	why, err := v.whyNot(v.r.Context(), page.Pull)
	if err != nil {
		return err
	}
	page.Merge.Why, page.Merge.Can = strings.Join(strings.FieldsFunc(why, func(c rune) bool { return c == '\n' }), ": "), why == ""
	return nil
}

// closing says whether the viewer may close the pull request, or open it again.
func closing(v *visit, page *pullPage) error {
	if v.actor.Anonymous() || page.Merged || page.HeadGone {
		return nil
	}
	role, _, err := v.Store.RoleOf(page.Repo.FullName(), v.actor.User.Login)
	if err != nil || (!page.Own && role < state.Write) {
		return err
	}
	page.Merge.Close = "closed"
	if !page.Open() {
		page.Merge.Close = "open"
	}
	return nil
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
	owners, err := v.Repos.CodeOwners(ctx, p)
	if err != nil {
		return "", err
	}
	return v.Store.BlockedFor(v.actor, p.Repo.FullName(), p.Number, owners)
}
