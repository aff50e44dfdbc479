package pages

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// checkRow is a check run, or a commit status in the same form.
type checkRow struct {
	state.Run
	Anchor        string
	By            string
	Mark          string // ok, bad, wait, act, skip: the picture and colour
	Word          string
	Took          string
	Summary, Text template.HTML
	Press         *press // nil: the viewer can press nothing
}

// press is what the form with a check run's buttons needs.
type press struct {
	Action, Return string
	Asked          bool // the viewer has just pressed one
	visit          *visit
}

// askedOf names, in the address that a press leads back to, the check run whose App has been asked.
const askedOf = "asked"

// Token is for this form alone.
func (p press) Token() string { return p.visit.token() }

// checkList has apart what nobody needs to look at.
type checkList struct {
	Loud, Calm []checkRow
}

// Len is how many checks there are.
func (l checkList) Len() int { return len(l.Loud) + len(l.Calm) }

// calmChecks is how many checks that are fine stand unfolded.
const calmChecks = 8

// sortChecks puts those first that want something, and all into one list when they are few.
func sortChecks(checks []checkRow) checkList {
	var l checkList
	for _, c := range checks {
		if c.Mark == "ok" || c.Mark == "skip" {
			l.Calm = append(l.Calm, c)
		} else {
			l.Loud = append(l.Loud, c)
		}
	}
	if len(l.Calm) <= calmChecks {
		return checkList{Loud: append(l.Loud, l.Calm...)}
	}
	return l
}

// checks lists a commit's check runs and statuses, oldest first.
func (v *visit) checks(repo, sha string) ([]checkRow, error) {
	runs, err := v.Store.Runs(repo, sha, state.RunFilter{})
	if err != nil {
		return nil, err
	}
	role, _, err := v.Store.RoleOf(repo, v.actor.User.Login)
	if err != nil && !v.actor.Anonymous() {
		return nil, err
	}
	var rows []checkRow
	for _, r := range slices.Backward(runs) {
		row := v.checkRow(r)
		if r.Status == "completed" && role >= state.Write {
			row.Press = &press{fmt.Sprintf("/%s/runs/%d/press", repo, r.ID), v.r.URL.Path + "?" + askedOf + "=" + row.Anchor + "#" + row.Anchor,
				v.r.URL.Query().Get(askedOf) == row.Anchor, v}
		}
		rows = append(rows, row)
	}
	statuses, err := v.Store.Statuses(repo, sha)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, st := range statuses {
		if !seen[st.Context] {
			rows = append(rows, statusRow(st))
		}
		seen[st.Context] = true
	}
	return rows, nil
}

func (v *visit) checkRow(r state.Run) checkRow {
	row := checkRow{Run: r, Anchor: fmt.Sprintf("check-%d", r.ID), By: r.App.Name, Word: strings.ReplaceAll(r.Conclusion, "_", " ")}
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

func statusRow(st state.Status) checkRow {
	row := checkRow{
		Run:    state.Run{ID: st.ID, Name: st.Context, HeadSHA: st.SHA, DetailsURL: st.TargetURL, Started: st.Created},
		Anchor: fmt.Sprintf("status-%d", st.ID), By: st.Creator.Login, Word: st.State,
	}
	row.Mark = map[string]string{"success": "ok", "pending": "wait"}[st.State]
	if row.Mark == "" {
		row.Mark = "bad"
	}
	if st.Description != "" {
		row.Output.Title = &st.Description
	}
	return row
}

// checkSum is what several checks come to.
type checkSum struct {
	Mark, Word string
	Good, All  int
	Sentence   string
}

func sum(checks []checkRow) checkSum {
	count := map[string]int{}
	for _, c := range checks {
		count[c.Mark]++
	}
	s := checkSum{Good: count["ok"] + count["skip"], All: len(checks)}
	switch {
	case s.All == 0:
		s.Mark, s.Word, s.Sentence = "skip", "no checks", "No checks have reported on the last commit."
	case count["bad"] > 0:
		s.Mark, s.Word, s.Sentence = "bad", "failed", fmt.Sprintf("%d of %d checks on the last commit failed.", count["bad"], s.All)
	case count["act"] > 0:
		s.Mark, s.Word, s.Sentence = "act", "need somebody", fmt.Sprintf("%d of %d checks on the last commit need somebody to act.", count["act"], s.All)
	case count["wait"] > 0:
		s.Mark, s.Word, s.Sentence = "wait", "not finished", fmt.Sprintf("%d of %d checks on the last commit have not finished.", count["wait"], s.All)
	default:
		s.Mark, s.Word, s.Sentence = "ok", "passed", "All checks on the last commit have passed."
	}
	return s
}

// waits is the check that an open pull request cannot be merged without and that somebody or something has yet to end:
// one that the repository asks for, or the incident's own.
func waits(p *state.Pull, head []checkRow) *checkRow {
	if !p.Open() {
		return nil
	}
	for _, c := range head {
		asked := c.Name == "pullbook" || slices.Contains(p.Repo.RequiredChecks, c.Name)
		if asked && (c.Mark == "act" || c.Mark == "wait") {
			return &c
		}
	}
	return nil
}

// body is a commit's message after its subject.
func body(c git.Commit) string {
	_, rest, _ := strings.Cut(c.Message, "\n")
	return strings.TrimSpace(rest)
}
