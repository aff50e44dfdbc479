package state

import (
	"slices"
	"time"
)

// A Protection is a branch's classic protection. It is enforced as a ruleset of that one branch.
type Protection struct {
	ID            int64
	Branch        string
	Checks        *CheckRule // Strict and Checks
	Admins        bool       // it holds for admins, too
	Reviews       *ReviewProtection
	Restrictions  *Actors // who may push; nil: everybody with write access
	Linear        bool
	Forced        bool // force pushes are allowed
	Deletions     bool // deletion is allowed
	Creations     bool // blocked
	Conversations bool
	Lock, Syncing bool
	Created       time.Time
}

func (p Protection) number() int64 { return p.ID }

// A ReviewProtection is what a protected branch asks of reviews.
type ReviewProtection struct {
	PullRule
	Dismissals *Actors // who may dismiss; nil: not restricted
	Bypass     *Actors // who need no pull request; nil: nobody
}

// Actors name people by login, teams and Apps by slug.
type Actors struct {
	Users []string `json:"users"`
	Teams []string `json:"teams"`
	Apps  []string `json:"apps"`
}

// ActorObjects are the accounts that an Actors names.
type ActorObjects struct {
	Users []User
	Teams []Team
	Apps  []App
}

// Resolve finds what actors name in a repository; a name that stands for nothing is refused.
func (s *Store) Resolve(fullName string, in *Actors) (*ActorObjects, error) {
	if in == nil {
		return nil, nil
	}
	return view(s, fullName, func(r *repo) (*ActorObjects, error) {
		out := &ActorObjects{}
		unknown := func(field string) error {
			return Invalid(Problem{Resource: "ProtectedBranch", Field: field, Code: "invalid"})
		}
		for _, login := range in.Users {
			u, ok := s.accounts[fold(login)]
			if !ok || u.Type != TypeUser {
				return nil, unknown("users")
			}
			out.Users = append(out.Users, *u)
		}
		for _, slug := range in.Teams {
			t, ok := s.teams[fold(r.Owner.Login+"/"+slug)]
			if !ok {
				return nil, unknown("teams")
			}
			out.Teams = append(out.Teams, *t)
		}
		for _, slug := range in.Apps {
			app := s.appBySlug(slug)
			if app == nil {
				return nil, unknown("apps")
			}
			out.Apps = append(out.Apps, *app)
		}
		return out, nil
	})
}

func (r *repo) protection(branch string) *Protection {
	for _, p := range r.desk.protections.byID {
		if p.Branch == branch {
			return p
		}
	}
	return nil
}

// Protection finds a branch's protection.
func (s *Store) Protection(fullName, branch string) (*Protection, error) {
	return view(s, fullName, func(r *repo) (*Protection, error) {
		p := r.protection(branch)
		if p == nil {
			return nil, &Refusal{Status: 404, Message: "Branch not protected"}
		}
		c := *p
		return &c, nil
	})
}

// Protect replaces a branch's protection.
func (s *Store) Protect(fullName string, p Protection) (*Protection, error) {
	return change(s, fullName, func(r *repo) (*Protection, error) {
		if p.Reviews != nil && (p.Reviews.Approvals < 0 || p.Reviews.Approvals > 6) {
			return nil, Invalid(Problem{Resource: "ProtectedBranch", Field: "required_approving_review_count", Code: "invalid"})
		}
		p.ID, p.Created = 0, s.Now()
		if old := r.protection(p.Branch); old != nil {
			p.ID, p.Created = old.ID, old.Created
		} else {
			p.ID = s.newID()
		}
		stow(s, r, &r.desk.protections, "protection", &p)
		c := p
		return &c, nil
	})
}

// Unprotect takes a branch's protection away.
func (s *Store) Unprotect(fullName, branch string) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		p := r.protection(branch)
		if p == nil {
			return struct{}{}, &Refusal{Status: 404, Message: "Branch not protected"}
		}
		discard(s, r, &r.desk.protections, "protection", p.ID)
		return struct{}{}, nil
	})
	return err
}

// Protected says whether anything protects a branch: its protection, an active ruleset, or the seed's rules.
func (s *Store) Protected(fullName, branch string) (bool, error) {
	return view(s, fullName, func(r *repo) (bool, error) {
		return len(s.inForce(r, "refs/heads/"+branch)) > 0, nil
	})
}

// ruleset says the same in rules. Admins pass unless it holds for them, too.
func (p *Protection) ruleset() *Ruleset {
	x := &Ruleset{Name: p.Branch, classic: true}
	if !p.Admins {
		x.Bypass = append(x.Bypass, Bypass{Actor: 5, Type: "RepositoryRole", Mode: "always"})
	}
	add := func(is bool, rule Rule) {
		if is {
			x.Rules = append(x.Rules, rule)
		}
	}
	add(!p.Forced, Rule{Type: RuleForward})
	add(!p.Deletions, Rule{Type: RuleDeletion})
	add(p.Lock, Rule{Type: RuleUpdate})
	add(p.Creations, Rule{Type: RuleCreation})
	if p.Checks != nil {
		add(len(p.Checks.Checks) > 0, withParameters(RuleChecks, *p.Checks))
	}
	if p.Reviews != nil {
		add(true, withParameters(RulePull, p.Reviews.PullRule))
	}
	return x
}

// mayPush says whether a protected branch's restrictions let the actor push.
func (s *Store) mayPush(a Actor, r *repo, p *Protection) bool {
	if p == nil || p.Restrictions == nil {
		return true
	}
	if a.App != nil {
		return slices.ContainsFunc(p.Restrictions.Apps, func(slug string) bool { return fold(slug) == fold(a.App.Slug) })
	}
	in := func(login string) bool { return fold(login) == fold(a.User.Login) }
	if !p.Admins && s.role(r, a.User) >= Admin || slices.ContainsFunc(p.Restrictions.Users, in) {
		return true
	}
	return slices.ContainsFunc(p.Restrictions.Teams, func(slug string) bool {
		t := s.teams[fold(r.Owner.Login+"/"+slug)]
		return t != nil && slices.ContainsFunc(t.Members, in)
	})
}
