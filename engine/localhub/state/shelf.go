package state

// A shelf keeps a repository's entities of one kind, in the order in which they were made.
type shelf[T keyed] struct {
	byID  map[int64]*T
	order []int64
}

// keyed is an entity that has a number of its own among its repository's of the same kind.
type keyed interface{ number() int64 }

func (h *shelf[T]) put(x *T) {
	if h.byID == nil {
		h.byID = map[int64]*T{}
	}
	id := (*x).number()
	if _, known := h.byID[id]; !known {
		h.order = append(h.order, id)
	}
	h.byID[id] = x
}

func (h *shelf[T]) drop(id int64) {
	delete(h.byID, id)
	order := make([]int64, 0, len(h.order))
	for _, x := range h.order {
		if x != id {
			order = append(order, x)
		}
	}
	h.order = order
}

func (h *shelf[T]) get(id int64) (*T, error) {
	if x, ok := h.byID[id]; ok {
		return x, nil
	}
	return nil, NotFound()
}

// all are copies, oldest first, of those that take agrees to; a nil take agrees to all.
func (h *shelf[T]) all(take func(*T) bool) []T {
	out := []T{}
	for _, id := range h.order {
		if x := h.byID[id]; take == nil || take(x) {
			out = append(out, *x)
		}
	}
	return out
}

// desk is what hangs on a repository besides pull requests, reviews, comments and checks. Each shelf has its row in
// deskKinds and in saveDesk, and is written with stow and discard.
type desk struct {
	issues      shelf[Issue]
	milestones  shelf[Milestone]
	rulesets    shelf[Ruleset]
	protections shelf[Protection]
	remarks     shelf[Remark]
	drafts      shelf[Draft]
	deployments shelf[Deployment]
	progress    shelf[DeploymentStatus]
	workflows   shelf[Workflow]
	workruns    shelf[WorkflowRun]
	jobs        shelf[Job]
	artifacts   shelf[Artifact]
	codeAlerts  shelf[CodeAlert]
	secrets     shelf[SecretAlert]
}

func deskKinds() []kind {
	return []kind{
		shelved("issue", func(d *desk) *shelf[Issue] { return &d.issues }),
		shelved("milestone", func(d *desk) *shelf[Milestone] { return &d.milestones }),
		shelved("ruleset", func(d *desk) *shelf[Ruleset] { return &d.rulesets }),
		shelved("protection", func(d *desk) *shelf[Protection] { return &d.protections }),
		shelved("remark", func(d *desk) *shelf[Remark] { return &d.remarks }),
		shelved("draft", func(d *desk) *shelf[Draft] { return &d.drafts }),
		shelved("deployment", func(d *desk) *shelf[Deployment] { return &d.deployments }),
		shelved("deployment_status", func(d *desk) *shelf[DeploymentStatus] { return &d.progress }),
		shelved("workflow", func(d *desk) *shelf[Workflow] { return &d.workflows }),
		shelved("workflow_run", func(d *desk) *shelf[WorkflowRun] { return &d.workruns }),
		shelved("job", func(d *desk) *shelf[Job] { return &d.jobs }),
		shelved("artifact", func(d *desk) *shelf[Artifact] { return &d.artifacts }),
		shelved("code_alert", func(d *desk) *shelf[CodeAlert] { return &d.codeAlerts }),
		shelved("secret_alert", func(d *desk) *shelf[SecretAlert] { return &d.secrets }),
	}
}

// saveDesk saves everything on a repository's shelves.
func (s *Store) saveDesk(r *repo) {
	saveShelf(s, r, &r.desk.issues, "issue")
	saveShelf(s, r, &r.desk.milestones, "milestone")
	saveShelf(s, r, &r.desk.rulesets, "ruleset")
	saveShelf(s, r, &r.desk.protections, "protection")
	saveShelf(s, r, &r.desk.remarks, "remark")
	saveShelf(s, r, &r.desk.drafts, "draft")
	saveShelf(s, r, &r.desk.deployments, "deployment")
	saveShelf(s, r, &r.desk.progress, "deployment_status")
	saveShelf(s, r, &r.desk.workflows, "workflow")
	saveShelf(s, r, &r.desk.workruns, "workflow_run")
	saveShelf(s, r, &r.desk.jobs, "job")
	saveShelf(s, r, &r.desk.artifacts, "artifact")
	saveShelf(s, r, &r.desk.codeAlerts, "code_alert")
	saveShelf(s, r, &r.desk.secrets, "secret_alert")
}

func saveShelf[T keyed](s *Store, r *repo, on *shelf[T], kind string) {
	for _, x := range on.byID {
		s.save(kind, key(r.ID, (*x).number()), x)
	}
}

func shelved[T keyed](name string, of func(*desk) *shelf[T]) kind {
	return kind{name, hanging(func(_ *world, r *repo, x *T) error { of(&r.desk).put(x); return nil })}
}

// stow puts an entity on its shelf and on disk.
func stow[T keyed](s *Store, r *repo, on *shelf[T], kind string, x *T) {
	on.put(x)
	s.save(kind, key(r.ID, (*x).number()), x)
}

func discard[T keyed](s *Store, r *repo, on *shelf[T], kind string, id int64) {
	on.drop(id)
	s.save(kind, key(r.ID, id), nil)
}

// view reads one thing of a repository.
func view[T any](s *Store, fullName string, read func(*repo) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		var none T
		return none, err
	}
	return read(r)
}

// change is view for a mutation.
func change[T any](s *Store, fullName string, do func(*repo) (T, error)) (out T, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return out, err
	}
	return do(r)
}
