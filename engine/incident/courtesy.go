package incident

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// rollupID is the external id of the check `pullbook` with a status that holds since an event.
func (d *decider) rollupID(status RollupStatus, since int) string {
	return fmt.Sprintf("%s/%s/%s/%d", d.state.Opened.ID, RollupName, status, since)
}

// shownSince reports whether a rollup check that was published at an event or later says that people are waited for.
func (d *decider) shownSince(seq int) bool {
	before := d.rollupID(RollupWaiting, 0)
	before = before[:len(before)-1]
	for id, there := range d.view.Checks {
		event, ours := strings.CutPrefix(id, before)
		event, _, _ = strings.Cut(event, "/") // behind it stands what the reviews come to
		if at, err := strconv.Atoi(event); ours && there && err == nil && at >= seq {
			return true
		}
	}
	return false
}

// react marks the comments that were obeyed and bear no mark yet.
func (d *decider) react() {
	for _, c := range d.view.Comments {
		if !c.Own && !c.Seen && d.state.Heard[c.ID] {
			d.actions = append(d.actions, React{c.ID})
		}
	}
}

// PlainLogin reports whether a text can be a login of the hub: letters, digits and single hyphens, and behind an underscore
// the short name of an enterprise that manages its users. Letters of other alphabets, which look alike, are in none.
func PlainLogin(login string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return login != "" && len(login) <= 39 && strings.Trim(login, plain+"-_") == "" && strings.ContainsAny(login[:1], plain)
}

// votesMark is what tells a check about open gates from one before the latest review: the check explains the verdicts. It is
// empty while nobody has said anything of them.
func (d *decider) votesMark() string {
	said := ""
	for step, st := range d.astir() {
		if st.Phase != PhaseGate || len(d.view.Reviews) == 0 {
			continue
		}
		if v := d.answer(d.approvalGate(step, st)).Verdict; len(v.Children) > 0 {
			said += fmt.Sprintln(step.Name, v)
		}
	}
	if said == "" {
		return ""
	}
	return "/" + runbook.PageDigest([]byte(said))[:16]
}
