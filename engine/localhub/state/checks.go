package state

import (
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// MaxAnnotations is how many annotations a request may bring, from GitHub's OpenAPI description (checks/create), which
// also has one character less for an output than others have for a body.
const MaxAnnotations = 50

// A RunInput creates a check run, or changes one in the fields that are not nil. Head is the commit that HeadSHA names.
type RunInput struct {
	Head                                                      PushedCommit
	Name, HeadSHA, ExternalID, DetailsURL, Status, Conclusion *string
	Started, Completed                                        *time.Time
	Output                                                    *Output
	Actions                                                   *[]RunAction
}

var (
	runStatuses    = []string{"queued", "in_progress", "completed", "waiting", "requested", "pending"}
	runConclusions = []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
)

// check refuses what GitHub would; most is how many characters a body may have, an output one less.
func (in RunInput) check(most int) error {
	invalid := func(field string) error {
		return Invalid(Problem{Resource: "CheckRun", Field: field, Code: "invalid"})
	}
	if in.Status != nil && !slices.Contains(runStatuses, *in.Status) {
		return invalid("status")
	}
	if in.Conclusion != nil && !slices.Contains(runConclusions, *in.Conclusion) {
		return invalid("conclusion")
	}
	if in.Status != nil && *in.Status == "completed" && in.Conclusion == nil {
		return missing("CheckRun", "conclusion")
	}
	if in.Actions != nil {
		if err := checkActions(*in.Actions); err != nil {
			return err
		}
	}
	if in.Output == nil {
		return nil
	}
	for field, text := range map[string]*string{"summary": in.Output.Summary, "text": in.Output.Text} {
		if text != nil && utf8.RuneCountInString(*text) >= most {
			return Unprocessable(fmt.Sprintf("Invalid request.\n\nOnly %d characters are allowed; %d were supplied in output.%s.", most-1, utf8.RuneCountInString(*text), field))
		}
	}
	if n := len(in.Output.Annotations); n > MaxAnnotations {
		return Unprocessable(fmt.Sprintf("Invalid request.\n\nNo more than %d items are allowed; %d were supplied.", MaxAnnotations, n))
	}
	for _, a := range in.Output.Annotations {
		if a.Path == "" || a.Message == "" || !slices.Contains([]string{"notice", "warning", "failure"}, a.Level) {
			return invalid("annotations")
		}
	}
	return nil
}

func onlyApps(a Actor) error {
	if !a.IsInstallation() {
		return Forbid("You must authenticate via a GitHub App.")
	}
	return nil
}

// CreateRun makes a check run on a commit that the caller has found in the repository.
func (s *Store) CreateRun(a Actor, fullName string, in RunInput) (_ *Run, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	if err := onlyApps(a); err != nil {
		return nil, err
	}
	if in.Name == nil || *in.Name == "" {
		return nil, missing("CheckRun", "name")
	}
	if err := in.check(s.longest()); err != nil {
		return nil, err
	}
	app := *s.apps[a.App.ID]
	suite := r.suite(app.ID, *in.HeadSHA)
	if suite == nil {
		in.Head.SHA = *in.HeadSHA
		suite = s.addSuite(r, app, r.branchOf(*in.HeadSHA), in.Head)
	}
	run := &Run{ID: s.newID(), Suite: suite.ID, App: app, HeadSHA: *in.HeadSHA, Status: "queued", Started: s.Now()}
	s.apply(run, in)
	r.addRun(run)
	s.saveRun(r, run)
	s.emitRun(a, r, run, suite, "created")
	if run.Status == "completed" {
		s.emitRun(a, r, run, suite, "completed")
		s.emitSuite(a, r, suite)
	}
	c := *run
	return &c, nil
}

// UpdateRun changes a check run, which only the App that made it may. Annotations are added to the earlier ones.
func (s *Store) UpdateRun(a Actor, fullName string, id int64, in RunInput) (_ *Run, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, run, err := s.run(fullName, id)
	if err != nil {
		return nil, err
	}
	if err := onlyApps(a); err != nil {
		return nil, err
	}
	if run.App.ID != a.App.ID {
		return nil, Forbid(fmt.Sprintf("Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", a.App.ID))
	}
	if err := in.check(s.longest()); err != nil {
		return nil, err
	}
	was := run.Status
	s.apply(run, in)
	s.saveRun(r, run)
	if run.Status == "completed" && was != "completed" {
		suite := r.suiteByID[run.Suite]
		s.emitRun(a, r, run, suite, "completed")
		s.emitSuite(a, r, suite)
	} else {
		r.checksMoved()
	}
	c := *run
	return &c, nil
}

func (s *Store) apply(run *Run, in RunInput) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&run.Name, in.Name)
	set(&run.ExternalID, in.ExternalID)
	set(&run.DetailsURL, in.DetailsURL)
	set(&run.Status, in.Status)
	if in.Status != nil && *in.Status != "completed" {
		run.Conclusion, run.Completed = "", time.Time{}
	}
	if in.Started != nil {
		run.Started = in.Started.UTC().Truncate(time.Second)
	}
	if in.Conclusion != nil {
		run.Status, run.Conclusion, run.Completed = "completed", *in.Conclusion, s.Now()
		if in.Completed != nil {
			run.Completed = in.Completed.UTC().Truncate(time.Second)
		}
	}
	if in.Actions != nil {
		run.Actions = *in.Actions
	}
	if o := in.Output; o != nil {
		run.Output.Title, run.Output.Summary = o.Title, o.Summary
		if o.Text != nil {
			run.Output.Text = o.Text
		}
		run.Output.Annotations = append(slices.Clone(run.Output.Annotations), o.Annotations...)
	}
}

func (s *Store) emitRun(a Actor, r *repo, run *Run, suite *Suite, action string) {
	c := *run
	suite.Updated, suite.Again = s.Now(), false
	s.saveSuite(r, suite)
	r.checksMoved()
	s.emit(a, r, Event{Name: "check_run", Action: action, Run: &c, Suite: suite.view(r)})
}

// emitSuite tells the suite's own App that all of its check runs are completed.
func (s *Store) emitSuite(a Actor, r *repo, suite *Suite) {
	if x := suite.view(r); x.Status == "completed" {
		s.emit(a, r, Event{Name: "check_suite", Action: "completed", Suite: x, OnlyApp: x.App.ID})
	}
}

// checksMoved counts a change of checks as a change of what pull-request pages show, since any of their commits may
// carry it; updated_at stays, as on GitHub.
func (r *repo) checksMoved() { r.checks++ }

func (s *Store) addSuite(r *repo, app App, branch string, head PushedCommit) *Suite {
	suite := &Suite{ID: s.newID(), App: app, HeadSHA: head.SHA, Head: head, Branch: branch, Created: s.Now(), Updated: s.Now()}
	r.addSuite(suite)
	s.saveSuite(r, suite)
	return suite
}

func (r *repo) suite(app int64, sha string) *Suite {
	for _, x := range slices.Backward(r.suitesBySHA[sha]) {
		if x.App.ID == app {
			return x
		}
	}
	return nil
}

func (r *repo) branchOf(sha string) string { return r.tips[sha] }

// view is a copy of a suite with what follows from its runs. A conclusion other than success stands over success, in
// the order that GitHub's suites show.
func (x *Suite) view(r *repo) *Suite {
	c := *x
	c.Status, c.Conclusion, c.Runs = "queued", "", 0
	worst := []string{"success", "neutral", "skipped", "action_required", "cancelled", "timed_out", "failure"}
	rank, done := -1, true
	for _, run := range r.runsBySHA[x.HeadSHA] {
		if run.Suite != x.ID {
			continue
		}
		c.Runs++
		done = done && run.Status == "completed"
		rank = max(rank, slices.Index(worst, run.Conclusion))
		c.Status = "in_progress"
	}
	if c.Runs > 0 && done && !x.Again {
		c.Status, c.Conclusion = "completed", worst[max(rank, 0)]
	}
	return &c
}

func (s *Store) run(fullName string, id int64) (*repo, *Run, error) {
	r, err := s.repo(fullName)
	if err != nil {
		return nil, nil, err
	}
	if run, ok := r.runByID[id]; ok {
		return r, run, nil
	}
	return nil, nil, NotFound()
}

// Run finds a check run.
func (s *Store) Run(fullName string, id int64) (*Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, run, err := s.run(fullName, id)
	if err != nil {
		return nil, err
	}
	c := *run
	return &c, nil
}

// A RunFilter selects check runs; empty fields select all.
type RunFilter struct {
	Name, Status string
	App          int64
	All          bool // not only the newest of each App and name
}

// Runs lists a commit's check runs, newest first.
func (s *Store) Runs(fullName, sha string, f RunFilter) ([]Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	type key struct {
		app  int64
		name string
	}
	seen := map[key]bool{}
	out := []Run{}
	for _, run := range slices.Backward(r.runsBySHA[sha]) {
		k := key{run.App.ID, run.Name}
		stale := seen[k] && !f.All
		seen[k] = true
		if stale || (f.Name != "" && run.Name != f.Name) || (f.Status != "" && run.Status != f.Status) || (f.App != 0 && run.App.ID != f.App) {
			continue
		}
		out = append(out, *run)
	}
	return out, nil
}

// Suites lists a commit's check suites, oldest first.
func (s *Store) Suites(fullName, sha string) ([]Suite, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	out := []Suite{}
	for _, x := range r.suitesBySHA[sha] {
		out = append(out, *x.view(r))
	}
	return out, nil
}

// SuiteByID finds a check suite.
func (s *Store) SuiteByID(fullName string, id int64) (*Suite, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	if x, ok := r.suiteByID[id]; ok {
		return x.view(r), nil
	}
	return nil, NotFound()
}

// AddStatus records a commit status.
func (s *Store) AddStatus(a Actor, fullName string, in Status) (_ *Status, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		return nil, Invalid(Problem{Resource: "Status", Field: "state", Code: "custom", Message: "state is not included in the list"})
	}
	if utf8.RuneCountInString(in.Description) > 140 {
		return nil, &Refusal{Status: http.StatusUnprocessableEntity, Message: "Validation Failed", Problems: []Problem{{
			Resource: "Status", Field: "description", Code: "custom", Message: "description is too long (maximum is 140 characters)",
		}}}
	}
	if in.Context == "" {
		in.Context = "default"
	}
	in.ID, in.Creator, in.Created = s.newID(), a.User, s.Now()
	if a.App != nil {
		in.App = a.App.ID
	}
	r.statuses[in.SHA] = append(slices.Clone(r.statuses[in.SHA]), in)
	s.saveStatus(r, in)
	s.emit(a, r, Event{Name: "status", Status: &in})
	r.checksMoved()
	return &in, nil
}

// Statuses lists a commit's statuses, newest first.
func (s *Store) Statuses(fullName, sha string) ([]Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	out := []Status{}
	for _, st := range slices.Backward(r.statuses[sha]) {
		out = append(out, st)
	}
	return out, nil
}
