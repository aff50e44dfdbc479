package state

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Owners are the code owners of one pattern of changed files: logins and "org/slug"; one of them has to approve.
type Owners []string

// A MergeTry is a request to merge. SHA is the head that the caller saw, or empty; Owners come from the CODEOWNERS file.
type MergeTry struct {
	SHA, Method string
	Owners      []Owners
}

// MayMerge refuses what may not be merged by the actor: 405 for a state or rule that forbids it, 409 for a head that moved.
func (s *Store) MayMerge(a Actor, fullName string, number int, try MergeTry) (*Pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	refuse := func(message string) error { return &Refusal{Status: http.StatusMethodNotAllowed, Message: message} }
	if !p.Open() {
		return nil, refuse("Pull Request is not mergeable")
	}
	if try.SHA != "" && try.SHA != p.Head.SHA {
		return nil, &Refusal{Status: http.StatusConflict, Message: "Head branch was modified. Review and try the merge again."}
	}
	if !slices.Contains(r.Methods(), try.Method) {
		return nil, refuse(map[string]string{"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[try.Method] + " are not allowed on this repository.")
	}
	if why := s.gate(a, r, p, try); why != "" {
		return nil, refuse(why)
	}
	return copyOf(r, p), nil
}

// Methods are the ways to merge that a repository allows, in GitHub's order.
func (r *Repo) Methods() []string {
	var out []string
	add := func(method string, on bool) {
		if on {
			out = append(out, method)
		}
	}
	add("merge", !r.Merging.NoCommit)
	add("squash", r.Merging.Squash)
	add("rebase", r.Merging.Rebase)
	return out
}

// Blocked says why a pull request may not be merged now by anybody who cannot pass its rules, in GitHub's words, or ""
// when only a conflict could stop it.
func (s *Store) Blocked(fullName string, number int) (string, error) {
	return s.BlockedFor(Actor{}, fullName, number, nil)
}

// BlockedFor is Blocked for one actor, with the code owners of what the pull request changes.
func (s *Store) BlockedFor(a Actor, fullName string, number int, owners []Owners) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return "", err
	}
	return s.gate(a, r, p, MergeTry{Owners: owners}), nil
}

// gate applies the rules of the base branch.
func (s *Store) gate(a Actor, r *repo, p *Pull, try MergeTry) string {
	if p.Draft {
		return "Pull Request is still a draft"
	}
	if p.Base.Ref == r.DefaultBranch {
		for _, name := range r.RequiredChecks {
			if why := r.wants(p.Head.SHA, RequiredCheck{Context: name}); why != "" {
				return why
			}
		}
	}
	if !a.Anonymous() && !s.mayPush(a, r, r.protection(p.Base.Ref)) {
		return "You're not authorized to push to this branch."
	}
	for _, x := range s.inForce(r, "refs/heads/"+p.Base.Ref) {
		if s.bypasses(a, r, x) != "never" {
			continue
		}
		for _, rule := range x.Rules {
			if why := s.gateRule(r, p, rule, try); why != "" {
				return why
			}
		}
	}
	return ""
}

func (s *Store) gateRule(r *repo, p *Pull, rule Rule, try MergeTry) string {
	switch rule.Type {
	case RuleUpdate: // a merge moves the branch, too
		return "Repository rule violations found\n\nCannot update this protected ref.\n\n"
	case RulePull:
		rules, err := parameters[PullRule](rule)
		if err != nil {
			return "Repository rule violations found" // unreachable: parameters are checked before they are kept
		}
		if try.Method != "" && len(rules.Methods) > 0 && !slices.Contains(rules.Methods, try.Method) {
			return fmt.Sprintf("Repository rule violations found\n\nMerge method %q is not allowed.\n\n", try.Method)
		}
		return s.gateReviews(r, p, rules, try.Owners)
	case RuleChecks:
		rules, err := parameters[CheckRule](rule)
		if err != nil {
			return "Repository rule violations found" // unreachable: as above
		}
		for _, c := range rules.Checks {
			if why := r.wants(p.Head.SHA, c); why != "" {
				return why
			}
		}
	}
	return ""
}

// opinions are the newest opinionated review of each person who may write: those alone count, as on GitHub.
func (s *Store) opinions(r *repo, p *Pull) map[int64]*Review {
	out := map[int64]*Review{}
	for _, v := range r.reviews[p.Number] {
		if v.User.Type == TypeUser && s.role(r, v.User) >= Write && v.State != ReviewCommented {
			out[v.User.ID] = v
		}
	}
	return out
}

func (s *Store) gateReviews(r *repo, p *Pull, rules PullRule, owners []Owners) string {
	approved, objected := map[string]bool{}, false
	for _, v := range s.opinions(r, p) {
		switch v.State {
		case ReviewApproved:
			if !rules.LastPush || p.PushedBy != v.User.ID {
				approved[fold(v.User.Login)] = true
			}
		case ReviewChanges:
			objected = true
		}
	}
	switch n := rules.Approvals; {
	case objected && n > 0:
		return "Changes must be addressed before merging."
	case len(approved) < n && n == 1:
		return "At least 1 approving review is required by reviewers with write access."
	case len(approved) < n:
		return fmt.Sprintf("At least %d approving reviews are required by reviewers with write access.", n)
	}
	if !rules.CodeOwners {
		return ""
	}
	for _, group := range owners {
		if !slices.ContainsFunc(group, func(o string) bool { return s.ownerApproved(o, approved) }) {
			return "Waiting on code owner review from " + strings.Join(group, ", ") + "."
		}
	}
	return ""
}

// ownerApproved says whether a code owner, a login or "org/slug", is among those who approved.
func (s *Store) ownerApproved(owner string, approved map[string]bool) bool {
	name := fold(strings.TrimPrefix(owner, "@"))
	if !strings.Contains(name, "/") {
		return approved[name]
	}
	t := s.teams[name]
	return t != nil && slices.ContainsFunc(t.Members, func(m string) bool { return approved[fold(m)] })
}

// wants says what is missing of a required check on a commit, or "".
func (r *repo) wants(sha string, c RequiredCheck) string {
	switch status, conclusion := r.checkState(sha, c); {
	case status == "":
		return fmt.Sprintf("Required status check %q is expected.", c.Context)
	case status != "completed":
		return fmt.Sprintf("Required status check %q is in progress.", c.Context)
	case !slices.Contains([]string{"success", "neutral", "skipped"}, conclusion):
		return fmt.Sprintf("Required status check %q is failing.", c.Context)
	}
	return ""
}

// checkState is the newest check run, or else commit status, of that name on a commit; where an App is asked for, its own.
func (r *repo) checkState(sha string, c RequiredCheck) (status, conclusion string) {
	for _, run := range slices.Backward(r.runsBySHA[sha]) {
		if run.Name == c.Context && (c.Integration == 0 || run.App.ID == c.Integration) {
			return run.Status, run.Conclusion
		}
	}
	for _, st := range slices.Backward(r.statuses[sha]) {
		switch {
		case st.Context != c.Context || (c.Integration != 0 && st.App != c.Integration):
		case st.State == "pending":
			return "in_progress", ""
		default:
			return "completed", st.State
		}
	}
	return "", ""
}

// dropStale dismisses the approvals of a pull request whose head was pushed, where a rule of its base branch says so.
func (s *Store) dropStale(a Actor, r *repo, p *Pull) {
	stale := false
	for _, x := range s.inForce(r, "refs/heads/"+p.Base.Ref) {
		for _, rule := range x.Rules {
			rules, err := parameters[PullRule](rule)
			stale = stale || (rule.Type == RulePull && err == nil && rules.DropStale)
		}
	}
	if !stale {
		return
	}
	for _, v := range r.reviews[p.Number] {
		if v.State == ReviewApproved {
			v.State = ReviewDismissed
			s.saveReview(r, v)
			s.emit(a, r, reviewEvent(r, p, v, "dismissed"))
		}
	}
}

// RequiredChecks lists the checks that the rules of a branch want before a merge into it.
func (s *Store) RequiredChecks(fullName, branch string) ([]RequiredCheck, error) {
	return view(s, fullName, func(r *repo) ([]RequiredCheck, error) {
		var out []RequiredCheck
		for _, x := range s.inForce(r, "refs/heads/"+branch) {
			for _, rule := range x.Rules {
				if rule.Type != RuleChecks {
					continue
				}
				p, err := parameters[CheckRule](rule)
				if err != nil {
					return nil, err
				}
				out = append(out, p.Checks...)
			}
		}
		return out, nil
	})
}
