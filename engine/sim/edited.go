package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// edited is what the simulation knows of the plan of one incident, by rules that it does not share with the engine.
type edited struct {
	book    *book                     // as the latest edit has made it; nil: as it was opened
	taken   map[int]string            // by pull request: the head that was taken
	writers map[string]map[int64]bool // by step of the book: who changed or added it
	pages   map[string][]byte         // of gates, by digest
	does    map[string]string         // by attempt: what it does in the words of the plan that its intent stands in
	named   map[string]bool           // steps of the book of which the journal says anything but that their gate has opened
	begun   map[string]bool           // those that have begun
	ran     map[string]bool           // those that have begun or are over, and have not failed since
	undone  bool                      // the main stage is over
}

// bookOf is the runbook that an incident follows; nil for triage.
func (w *World) bookOf(r *record) *book {
	if r.edits.book != nil {
		return r.edits.book
	}
	return w.books[r.plan.Name]
}

// inBook is the step of the book that a step of the plan, or an element of one, was made of.
func inBook(step string) string { return strings.TrimSuffix(template(step), rehearsal) }

// wrote reports whether a person has changed or added a step while the incident was open.
func (r *record) wrote(step string, id int64) bool { return r.edits.writers[inBook(step)][id] }

// took reports whether some incident follows the edit of a pull request as it is at a commit.
func (c *chronicle) took(number int, head string) bool {
	return slices.ContainsFunc(c.records, func(r *record) bool { return r.edits.taken[number] == head })
}

// keepsPlan holds that nothing but an edit changes the plan of an incident, and that its commit changes nothing else.
func (c *chronicle) keepsPlan(r *record, made *commit, events []incident.Event) {
	dir := journal.PlanDir(r.id.Dir())
	_, edits := events[0].Data.(incident.PlanEdited)
	for path := range made.files {
		switch inPlan := strings.HasPrefix(path, dir); {
		case events[0].Seq == 1:
		case edits && !inPlan && (len(events) != 1 || !strings.Contains(path, "/journal/")):
			c.w.fail("I5", "%s: an edit of the plan changes %s", r.id, path)
		case !edits && inPlan:
			c.w.fail("I5", "%s: %s changes, and no edit was taken", r.id, path)
		}
	}
}

// noteEdited keeps of an event what the laws about edits ask for.
func (c *chronicle) noteEdited(p *process, r *record, e incident.Event, made *commit) {
	k := &r.edits
	if k.taken == nil {
		*k = edited{taken: map[int]string{}, writers: map[string]map[int64]bool{}, pages: map[string][]byte{}, does: map[string]string{},
			named: map[string]bool{}, begun: map[string]bool{}, ran: map[string]bool{}}
	}
	step := inBook(incident.StepOf(e.Data))
	switch d := e.Data.(type) {
	case incident.PlanEdited:
		c.edited(p, r, d, made)
		return
	case incident.GateOpened:
		k.pages[d.Page] = made.files[r.gatePath(d.Step)]
		return
	case incident.StepStarted:
		k.does[d.Key], k.begun[step], k.ran[step] = c.w.does(r, step), true, true
	case incident.RepeatStarted:
		k.does[d.Key] = c.w.does(r, step)
	case incident.StepByHand, incident.StepSkipped, incident.EachExpanded:
		k.ran[step] = true
	case incident.StepEnded:
		k.ran[step] = d.Conclusion == runbook.Succeeded || d.Conclusion == runbook.Unknown || strings.Contains(d.Step, ".")
	case incident.RetryAsked:
		k.ran[step] = strings.Contains(d.Step, ".")
	case incident.UndoBegun, incident.FinallyBegun:
		k.undone = true
	}
	k.named[step] = true
}

// does is what a step does in the words of the plan that an incident follows now; empty where there are none.
func (w *World) does(r *record, step string) string {
	if b := w.bookOf(r); b != nil && b.step(step) != nil {
		return b.step(step).called()
	}
	return ""
}

// edited holds that an edit was taken as it stood on its pull request, once, and that those who may had approved it.
func (c *chronicle) edited(p *process, r *record, d incident.PlanEdited, made *commit) {
	pull, err := c.w.forge.pull(d.Pull)
	if err != nil || pull.by == nil {
		c.w.fail("I5", "%s: the plan is edited by pull request %d, which is none of a person", r.id, d.Pull)
		return
	}
	before, path := c.w.bookOf(r), journal.PlanDir(r.id.Dir())+strings.TrimPrefix(r.state.Opened.Runbook, "embedded:")
	after := &book{}
	files, err := c.w.remote.files(d.Head, []string{path})
	if text := made.files[path]; err != nil || text == nil || !bytes.Equal(text, files[path].Data) || json.Unmarshal(text, after) != nil {
		c.w.fail("I5", "%s: the plan is not as pull request %d has it at %s", r.id, d.Pull, short(d.Head))
		return
	}
	why := c.unapproved(p, r, d, pull)
	switch {
	case r.edits.taken[d.Pull] != "":
		why = "it was taken before"
	case before == nil:
		why = "the plan is the engine's own"
	case why == "":
		why = r.forbids(before, after)
	}
	if why != "" {
		c.w.fail("I5", "%s: the edit of pull request %d is taken, and %s", r.id, d.Pull, why)
		return
	}
	c.follow(r, d, before, after, made.files[journal.PlanDir(r.id.Dir())+journal.PlanFile])
}

// follow goes on with the plan that an edit has made.
func (c *chronicle) follow(r *record, d incident.PlanEdited, before, after *book, static []byte) {
	var plan runbook.Plan
	want, err := after.plan()
	if err == nil {
		err = json.Unmarshal(static, &plan)
	}
	steps := slices.Clone(plan.Steps)
	for i := range steps {
		steps[i].Files = nil // the runbook that a step opens is pinned
	}
	if err != nil || !bytes.Equal(jsonOf(steps), jsonOf(want.Steps)) || plan.Edits != r.plan.Edits+1 {
		c.w.fail("I5", "%s: the plan that the edit of pull request %d has made is not its runbook's: %v", r.id, d.Pull, err)
		return
	}
	var gated, logins []string
	for _, s := range after.Steps {
		if old := before.step(s.Name); old != nil && bytes.Equal(jsonOf(old), jsonOf(s)) {
			continue
		}
		if s.Approval != nil {
			gated = append(gated, s.Name)
		}
		who := maps.Clone(r.edits.writers[s.Name])
		if who == nil {
			who = map[int64]bool{}
		}
		for _, a := range d.Authors {
			who[a.ID] = true
		}
		r.edits.writers[s.Name] = who
	}
	for _, a := range d.Authors {
		logins = append(logins, a.Login)
	}
	r.plan, r.edits.book, r.edits.taken[d.Pull] = plan, after, d.Head
	c.w.tally.Edits++
	c.w.editing.insist(r, logins, gated)
}

// unapproved says why an edit has not got what it needs, by what the engine saw when it asked last before the push; or nothing.
func (c *chronicle) unapproved(p *process, r *record, d incident.PlanEdited, pull *pull) string {
	said := p.looked[pull.branch]
	switch {
	case said == nil || said.pull == nil:
		return "nobody asked for its reviews again"
	case !said.pull.Open || said.pull.Head != d.Head || said.pull.Base != r.branch:
		return fmt.Sprintf("the hub showed it otherwise: %+v", *said.pull)
	case pull.fork || !strings.HasPrefix(pull.branch, incident.EditPrefix):
		return "it comes from " + pull.branch
	}
	authors, known := c.w.forge.authors(pull, d.Head)
	if !known {
		return "nobody knows who wrote it"
	}
	for id := range authors {
		if !slices.ContainsFunc(d.Authors, func(a runbook.Author) bool { return a.ID == id }) {
			return fmt.Sprintf("it does not say that %d wrote it", id)
		}
	}
	if people := votesOnEdit(r.plan.Edit, authors, d.Head, said.reviews); !met(r.plan.Edit, people) {
		return fmt.Sprintf("%d people approve it", len(people))
	}
	return ""
}

// authors are who opened a person's pull request, and who wrote its commits up to one of them: those that its base does not have,
// and those that its files come from since the engine wrote the last of them.
func (f *forge) authors(p *pull, head string) (who map[int64]bool, known bool) {
	at := *p
	at.head = head
	who, known = map[int64]bool{p.by.ID: true}, true
	commits := f.own(&at)
	for c := f.w.remote.commits[head]; c != nil && c.by != signedByEngine; c = f.w.remote.commits[c.before()] {
		commits = append(commits, c)
	}
	for _, c := range commits {
		if c.by == unknown || c.by == signedByEngine {
			known = false
			continue
		}
		who[f.person(c.by).ID] = true
	}
	return who, known
}

func met(rule *runbook.Approval, people []approval.Person) bool {
	return rule != nil && slices.ContainsFunc(rule.Ways(), func(way []runbook.Leaf) bool { return filled(way, people) })
}

// votesOnEdit are the people whose latest word about an edit approves this head of it.
func votesOnEdit(rule *runbook.Approval, authors map[int64]bool, head string, reviews []approval.Review) []approval.Person {
	votes := map[int64]approval.Person{}
	reviews = slices.Clone(reviews)
	slices.SortFunc(reviews, func(a, b approval.Review) int { return int(a.ID - b.ID) })
	for _, v := range reviews {
		said := approval.Commands(v.Body)
		about := len(said) == 0 || slices.ContainsFunc(said, func(s approval.Said) bool { return s.Step == "edit" && s.Verb == "" })
		switch {
		case rule == nil || v.By.Bot || !v.By.Write || authors[v.By.ID] || !approval.Named(v.By, rule.People()):
		case v.State == approval.Dismissed, v.State == approval.ChangesRequested && about:
			delete(votes, v.By.ID)
		case v.State == approval.Approved && about && !v.Edited && v.Commit == head:
			votes[v.By.ID] = v.By
		}
	}
	return slices.Collect(maps.Values(votes))
}

// forbids says why a plan may not be changed so while the incident follows it, or nothing: what has begun stays as it is, and
// so does who approves what, and everything that is no step.
func (r *record) forbids(before, after *book) string {
	was, now := *before, *after
	was.Steps, now.Steps, was.skeleton, now.skeleton = nil, nil, nil, nil
	if !bytes.Equal(jsonOf(was), jsonOf(now)) {
		return "it changes more than steps"
	}
	for i := range before.Steps {
		old := &before.Steps[i]
		s := after.step(old.Name)
		switch ran := r.edits.ran[old.Name]; {
		case s != nil && bytes.Equal(jsonOf(old), jsonOf(s)):
		case s == nil && old.Approval != nil:
			return "the gate of " + old.Name + " is gone"
		case s != nil && !bytes.Equal(jsonOf(old.Approval), jsonOf(s.Approval)):
			return "other people approve " + old.Name
		case ran, s == nil && r.edits.named[old.Name]:
			return old.Name + " has begun"
		case s == nil && r.edits.ran[old.Undoes]:
			return "the undo of " + old.Undoes + " is gone, which has begun"
		}
		for j := range before.Steps {
			if next := &before.Steps[j]; (s == nil || !bytes.Equal(jsonOf(old), jsonOf(s))) && slices.Contains(next.needs(), old.Name) && r.edits.begun[next.Name] {
				return next.Name + " has begun, which follows " + old.Name
			}
		}
	}
	return ""
}

// stillSo holds that the page whose approvals an intent rests on says what the plan says now.
func (c *chronicle) stillSo(r *record, d intent) {
	step, ok := r.step(d.step)
	want := ""
	if page := r.edits.pages[d.page]; page != nil && ok && step.Kind.NeedsRunner() && !step.Each && step.Of == "" {
		if want = c.w.does(r, inBook(d.step)); !says(string(page), want) {
			c.w.fail("I5", "%s: the intent of %s is to do %s, and the page that was approved says something else", r.id, d.step, want)
		}
	}
}

// says reports whether a text has the words for what a step does, and not those of an edit that it does not have.
func says(text, does string) bool {
	plain, _, edited := strings.Cut(does, "-")
	return strings.Contains(text, does) && (edited || !strings.Contains(text, plain+"-w"))
}

// asWritten holds that what happens is what stands in the plan: as it was when its intent was pushed, or as it is now.
func (w *World) asWritten(r *record, job engine.StepJob) {
	want := r.edits.does[job.Key]
	if alone := len(w.machines) == 1 && w.tally.Faults[Paused] == 0 && !w.forgotten; want == "" && alone && w.editing != nil {
		want = w.does(r, inBook(job.Step))
	}
	if want != "" && !says(string(job.Work), want) {
		w.fail("I4", "%s does %s, and the plan says %s", job.Key, job.Work, want)
	}
}

// unanswered says which edit of an incident has no answer that follows from it, or nothing.
func (w *World) unanswered(r *record) string {
	if w.editing == nil {
		return ""
	}
	for _, p := range w.editing.open(r.branch) {
		said, there := w.forge.latest(incident.RollupName, p.head)
		switch want := w.expected(r, p); {
		case r.edits.taken[p.number] != "":
			return fmt.Sprintf("the edit of pull request %d was taken, and is open", p.number)
		case !there:
			return fmt.Sprintf("the edit of pull request %d has no answer", p.number)
		case want != "" && said.Conclusion != want && len(w.machines) == 1 && w.tally.Faults[Paused] == 0:
			return fmt.Sprintf("the edit of pull request %d is answered by %s, and not by %s: %s", p.number, said.Conclusion, want, said.Title)
		}
	}
	return ""
}

// expected is what the check of an open edit has to say where that is plain: success of one that has all that it needs, so that
// it is taken and not open; failure of one that is forbidden.
func (w *World) expected(r *record, p *pull) string {
	before, path := w.bookOf(r), journal.PlanDir(r.id.Dir())+strings.TrimPrefix(r.state.Opened.Runbook, "embedded:")
	changes := w.forge.changes(p)
	authors, known := w.forge.authors(p, p.head)
	after := &book{}
	wrong := p.fork || !strings.HasPrefix(p.branch, incident.EditPrefix) || !known || before == nil || before.Edit == nil || len(changes) != 1 ||
		changes[path] == nil || json.Unmarshal(changes[path], after) != nil || after.mistake() != "" || bytes.Equal(changes[path], before.text())
	if wrong || r.forbids(before, after) != "" {
		return "failure"
	}
	if !w.fits(r, p, before, after) {
		return ""
	}
	view, err := w.forge.look(incident.HubQuery{Pull: p.number, Teams: []string{sreTeam}})
	objects := slices.ContainsFunc(view.Reviews, func(v approval.Review) bool { return v.State == approval.ChangesRequested })
	switch {
	case err != nil || objects:
		return ""
	case met(before.Edit, votesOnEdit(before.Edit, authors, p.head, view.Reviews)):
		return "success"
	}
	return "action_required"
}

// fits reports whether an edit rests on the plan that is followed now, and changes nothing of which the journal says anything.
func (w *World) fits(r *record, p *pull, before, after *book) bool {
	for i := range before.Steps {
		old := &before.Steps[i]
		s := after.step(old.Name)
		if s != nil && bytes.Equal(jsonOf(old), jsonOf(s)) {
			continue
		}
		asked := !r.gates[old.Name].IsZero() || !r.gates[old.Undoes].IsZero()
		if r.edits.named[old.Name] || r.effects[old.Name] > 0 || s == nil && (asked || r.edits.named[old.Undoes]) {
			return false
		}
	}
	dir := journal.PlanDir(r.id.Dir())
	theirs, err := w.remote.files(p.head, []string{dir + journal.PlanFile})
	ours, err2 := w.remote.files(r.head, []string{dir + journal.PlanFile})
	_, err3 := after.plan()
	return err == nil && err2 == nil && err3 == nil && !r.edits.undone && !r.reckoned.thawed && bytes.Equal(theirs[dir+journal.PlanFile].Data, ours[dir+journal.PlanFile].Data)
}
