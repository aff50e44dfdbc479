package sim

// oldBugs bring back what the simulation has found, by its number in the README's table.
func oldBugs() []mutation {
	return []mutation{
		one("bug 1: people are asked after the check that shows who was asked", "incident/publish.go",
			"		d.askForReviews()\n		d.actions = append(d.actions, PublishRollup{ExternalID: id, Status: status, Summary: summary})",
			"		d.actions = append(d.actions, PublishRollup{ExternalID: id, Status: status, Summary: summary})\n		d.askForReviews()"),
		one("bug 2: a branch that the default branch has whole stays", "engine.go", "		return e.cleanUp(ctx, w)", "		return nil"),
		{name: "bug 3: the branch goes before the records of its attempts", edits: []edit{
			{"perform.go", "	if err := e.Inbox.Forget(ctx, w.branch); err != nil {", "	e.unmark(w.branch)\n	if err := e.Hub.Publish(ctx, incident.Publication{DeleteBranch: w.branch}); err != nil {"},
			{"perform.go", "	if err := e.Hub.Publish(ctx, incident.Publication{DeleteBranch: w.branch}); err != nil {\n		return fmt.Errorf(\"delete",
				"	if err := e.Inbox.Forget(ctx, w.branch); err != nil {\n		return fmt.Errorf(\"delete"}}},
		one("bug 4: a branch that was deleted is free", "opening.go", "			return p, e.checkFree(ctx, branch)", "			return p, nil"),
		one("bug 5: what was merged meanwhile is opened again", "worker.go", "func(id incident.ID) bool { return id.Branch() == branch }) {", "func(id incident.ID) bool { return branch == \"\" }) {"),
		one("bug 6: a closed pull request is no sign of a deleted branch", "look.go", "(!seen.Pull.Open || seen.Pull.Head != n.remote)", "seen.Pull.Open && seen.Pull.Head != n.remote").seenBy("TestScenes/6"),
		{name: "bug 7: what the queue has lost is waited for when an undo is due", test: "TestScenes/7", edits: []edit{
			{"incident/stages.go", "st.Phase == PhaseStarted && !d.leftBehind(main, st) {", "st.Phase == PhaseStarted {"},
			{"incident/stages.go", "		case d.leftBehind(step, st):\n			d.abandoned(step, st)\n", "		case d.leftBehind(step, st):\n"}}},
		one("bug 8: what is queued of a merged incident stays", "perform.go", "		if err := e.Inbox.StopStep(ctx, a.Key); err != nil { // another engine", "		if err := ctx.Err(); err != nil { // another engine"),
		one("bug 9: looks are put in the order of a map", "engine.go", "slices.Sorted(maps.Keys(woken))", "slices.Collect(maps.Keys(woken))").seenBy("TestSameStory"),
		one("bug 10: a look begins anew without end", "look.go", "if anew++; anew > maxAnew {", "if anew++; anew > maxRounds {").seenBy("TestScenes/10"),
		one("bug 11: the head of a closed pull request is compared", "perform.go", "if seen.Pull == nil || seen.Pull.Open && seen.Pull.Head != n.remote {", "if seen.Pull == nil || seen.Pull.Head != n.remote {").seenBy("TestScenes/11"),
		one("bug 12: what cannot be read for a moment is a problem of the runbook", "opening.go", "		if errors.Is(err, errUnread) {\n			return d, err", "		if ctx.Err() != nil {\n			return d, err"),
		one("bug 13: what is only here decides where an alert belongs", "opening.go", "	return w.report.Load().state, nil", "	return w.ledger.state, nil").seenBy("TestScenes/13"),
		one("bug 14: an opening takes as long as it likes", "opening.go", "took < 0 || took > atOnce {", "took < -1<<62 {").seenBy("TestOpenedTwice"),
		one("bug 15: an element of a later round names the gate of its template", "incident/each.go", "	case st.Round == 1 && !t.Gate.Opened.IsZero()", "	case !t.Gate.Opened.IsZero()").seenBy("TestScenes/15"),
		one("bug 16: who stood behind a place that is given up sleeps on", "locks.go", "			l.owe(branch, func(lock string) bool { return slices.Contains(before.Locks, lock) })", "			_ = before").seenBy("TestScenes/16"),
		one("bug 17: a review from before a gate counts as an answer to it", "incident/routing.go", "(r.At.IsZero() || !r.At.Before(since))", "(r.At.IsZero() || !r.At.Before(since) || !since.IsZero())").seenBy("TestScenes/17"),
		one("bug 18: what nobody is asked about keeps the finally steps out", "incident/locks.go", "		if ours && s.Steps[own].Closed {", "		if ours && s.Steps[own].Closed && own == \"\" {").seenBy("TestScenes/18"),
		one("bug 19: a branch that was given back counts as opened twice", "look.go", "n.state.Pull == 0 && !n.state.GivenBack() && ", "n.state.Pull == 0 && ").seenBy("TestScenes/19"),
		one("bug 20: a second pull request stays open", "show.go", "		if lookErr != nil || seen.Pull == nil ||", "		if lookErr == nil || seen.Pull == nil ||").seenBy("TestScenes/20"),
		one("bug 21: a later incident whose branch was deleted is not seen", "results.go", "	if seen.Pull == nil {", "	if seen.Pull != nil {").seenBy("TestScenes/21"),
		one("bug 22: a closed pull request counts as one that lags behind", "incident/thaw.go", "pull.Head != b.Tip && pull.Open {", "pull.Head != b.Tip {").seenBy("TestOpenedTwice"),
		one("bug 23: a bookmark is put over that of another engine", "thaw.go", "e.Bookmarks.Mark(w.branch, n.marked, commit)", "e.Bookmarks.Mark(w.branch, e.bookmarks()[w.branch], commit)").seenBy("TestBookmarkStays"),
		one("bug 24: what is remembered decides where an alert belongs", "opening.go", "	if w.ledger != nil && w.ledger.remote != head {", "	if w.ledger != nil && head == \"\" {").seenBy("TestScenes/24"),
		one("bug 25: a deleted branch counts as opened twice", "look.go", "return !n.deleted && n.state.Pull == 0", "return n.state.Pull == 0").seenBy("TestScenes/25"),
		one("bug 26: a stranger's push hides the engine's last one", "thaw.go", "if own, _ := sift(last); slices", "if own, foreign := sift(last); foreign == nil && slices").seenBy("TestLastPushStays"),
		one("bug 27: who holds a lock has to win it again at each push", "perform.go", "e.locks.reserve(w.branch, held, n.taken)", "e.locks.reserve(w.branch, held, nil)").seenBy("TestScenes/27"),
		one("bug 28: a branch counts as given back before there is the commit", "perform.go", "	sha, err := e.Journal.Append(ctx, made)\n	if err != nil {\n		return fmt",
			"	sha, err := e.Journal.Append(ctx, made)\n	if err != nil {\n		n.gone, n.deleted = n.gone && !thaws, n.deleted && !thaws\n		return fmt").seenBy("TestScenes/28"),
		one("bug 29: a failure after which the plan went on is skipped", "incident/obey.go", "	case d.releasedOthers(step, st):", "	case step.Name == \"\" && d.releasedOthers(step, st):").seenBy("TestScenes/29"),
		one("bug 30: a retry lies before the beginning of what failed", "sim/inbox.go", "later(begun, p.clock())", "later(now, p.clock())").seenBy("TestScenes/30"),
		one("bug 31: what cannot be read for a moment is not looked for", "thaw.go", "	if errors.Is(err, ErrLost) {\n		return left, nil", "	if err != nil {\n		return left, nil").seenBy("TestLastPushStaysWhenReadsFail"),
		one("bug 32: what the queue has lost keeps its locks when it is called off", "incident/stages.go", "	default:\n		d.abandon(runbook.StageMain)\n", "	default:\n").seenBy("TestScenes/32"),
		one("bug 33: a stranger's commit under a closed pull request counts as opened twice", "look.go", "!n.leadsTo(p.Head)", "n.commits[p.Head] == 0"),
		one("bug 34: what a commit that failed has left travels along", "perform.go", "	if n.unsure {", "	if n.unsure && n.head == \"\" {").seenBy("TestScenes/34"),
		one("bug 35: what another engine ended and merged counts as merged by a person", "look.go", "	if seen.Pull.Merged && n.state.End == \"\" &&", "	if seen.Pull.Merged && n.remote == \"\" &&").seenBy("TestScenes/35"),
		one("bug 37: what follows a step that was done by hand rests on those before it", "incident/obey.go", "if st.Phase == PhaseByHand || !slices", "if !slices").seenBy("TestScenes/37"),
		{name: "bug 36: an edit may rest on what strangers wrote to the branch", edits: []edit{
			{"edits.go", "	return n.head != \"\" && n.thawed", "	return n.head == \"never\" && n.thawed"},
			{"edits.go", "	if !state.GivenBack() {", "	if state.Opened.Commit != \"\" {"}}},
	}
}
