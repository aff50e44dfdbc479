package state

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Ruleset says what may happen to the refs that it covers. Include and Exclude are patterns for full ref names, besides
// "~ALL" and "~DEFAULT_BRANCH". The hub enforces the types of rule that enforced lists, and keeps the others.
type Ruleset struct {
	ID               int64
	Name             string
	Target           string // branch or tag
	Enforcement      string // active, evaluate or disabled
	Include, Exclude []string
	Bypass           []Bypass
	Rules            []Rule
	Created, Updated time.Time
	classic          bool // made of a branch's protection, whose refusals have other words
}

func (x Ruleset) number() int64 { return x.ID }

// A Bypass lets an actor past a ruleset: always, or (mode pull_request) only by merging a pull request.
type Bypass struct {
	Actor int64  `json:"actor_id"`
	Type  string `json:"actor_type"`
	Mode  string `json:"bypass_mode"`
}

// A Rule is one rule, with its parameters as JSON if its type has any.
type Rule struct {
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// PullRule are the parameters of "pull_request".
type PullRule struct {
	Methods     []string `json:"allowed_merge_methods,omitempty"`
	DropStale   bool     `json:"dismiss_stale_reviews_on_push"`
	CodeOwners  bool     `json:"require_code_owner_review"`
	LastPush    bool     `json:"require_last_push_approval"`
	Approvals   int      `json:"required_approving_review_count"`
	Resolutions bool     `json:"required_review_thread_resolution"`
}

// CheckRule are the parameters of "required_status_checks".
type CheckRule struct {
	Lenient bool            `json:"do_not_enforce_on_create,omitempty"`
	Checks  []RequiredCheck `json:"required_status_checks"`
	Strict  bool            `json:"strict_required_status_checks_policy"`
}

// A RequiredCheck must be successful; with an Integration, as said by that App.
type RequiredCheck struct {
	Context     string `json:"context"`
	Integration int64  `json:"integration_id,omitempty"`
}

// Types of rules that the hub enforces.
const (
	RuleCreation = "creation"
	RuleUpdate   = "update"
	RuleDeletion = "deletion"
	RuleForward  = "non_fast_forward"
	RulePull     = "pull_request"
	RuleChecks   = "required_status_checks"
)

func enforced() []string {
	return []string{RuleCreation, RuleUpdate, RuleDeletion, RuleForward, RulePull, RuleChecks}
}

// kept are the further types that GitHub has and the hub only keeps.
func kept() []string {
	return []string{"required_linear_history", "merge_queue", "required_deployments", "required_signatures", "commit_message_pattern",
		"commit_author_email_pattern", "committer_email_pattern", "branch_name_pattern", "tag_name_pattern", "workflows", "code_scanning"}
}

func (x Ruleset) check() error {
	invalid := func(field, message string) error {
		return Invalid(Problem{Resource: "RepositoryRuleset", Field: field, Code: "custom", Message: message})
	}
	switch {
	case strings.TrimSpace(x.Name) == "":
		return missing("RepositoryRuleset", "name")
	case x.Target != "branch" && x.Target != "tag":
		return invalid("target", "the hub has rulesets for branches and tags")
	case !slices.Contains([]string{"active", "evaluate", "disabled"}, x.Enforcement):
		return invalid("enforcement", "Enforcement must be one of disabled, evaluate, active")
	}
	for _, p := range append(slices.Clone(x.Include), x.Exclude...) {
		if !strings.HasPrefix(p, "~") && !strings.HasPrefix(p, "refs/") {
			return invalid("conditions", fmt.Sprintf("Invalid target patterns: '%s'", p))
		}
	}
	for _, b := range x.Bypass {
		if !slices.Contains([]string{"Integration", "OrganizationAdmin", "RepositoryRole", "Team", "User"}, b.Type) {
			return invalid("bypass_actors", "Actor type is invalid")
		}
	}
	for _, rule := range x.Rules {
		if !slices.Contains(enforced(), rule.Type) && !slices.Contains(kept(), rule.Type) {
			return invalid("rules", fmt.Sprintf("Invalid rule '%s'", rule.Type))
		}
		if err := rule.check(); err != nil {
			return invalid("rules", fmt.Sprintf("Invalid parameters of rule '%s': %v", rule.Type, err))
		}
	}
	return nil
}

func (x Rule) check() error {
	switch x.Type {
	case RulePull:
		p, err := parameters[PullRule](x)
		if err == nil && (p.Approvals < 0 || p.Approvals > 10) {
			err = fmt.Errorf("required_approving_review_count %d is not between 0 and 10", p.Approvals)
		}
		return err
	case RuleChecks:
		p, err := parameters[CheckRule](x)
		if err == nil && slices.ContainsFunc(p.Checks, func(c RequiredCheck) bool { return c.Context == "" }) {
			err = fmt.Errorf("a check has no context")
		}
		return err
	}
	return nil
}

func parameters[T any](x Rule) (p T, err error) {
	if len(x.Parameters) == 0 {
		return p, nil
	}
	return p, json.Unmarshal(x.Parameters, &p)
}

// withParameters is a rule; p is one of the parameter types above, which always encode.
func withParameters(kind string, p any) Rule {
	raw, err := json.Marshal(p)
	if err != nil {
		return Rule{Type: kind} // unreachable: the parameter types hold texts, numbers and truths alone
	}
	return Rule{Type: kind, Parameters: raw}
}

// SaveRuleset creates a ruleset (id 0) or replaces one.
func (s *Store) SaveRuleset(fullName string, x Ruleset) (*Ruleset, error) {
	return change(s, fullName, func(r *repo) (*Ruleset, error) {
		x.Created = s.Now()
		if x.ID != 0 {
			old, err := r.desk.rulesets.get(x.ID)
			if err != nil {
				return nil, err
			}
			x.Created = old.Created
		}
		if err := x.check(); err != nil {
			return nil, err
		}
		for _, other := range r.desk.rulesets.byID {
			if other.ID != x.ID && other.Name == x.Name {
				return nil, Invalid(Problem{Resource: "RepositoryRuleset", Field: "name", Code: "custom", Message: "Name must be unique"})
			}
		}
		if x.ID == 0 {
			x.ID = s.newID()
		}
		x.Updated = s.Now()
		stow(s, r, &r.desk.rulesets, "ruleset", &x)
		c := x
		return &c, nil
	})
}

// Rulesets lists a repository's rulesets.
func (s *Store) Rulesets(fullName string) ([]Ruleset, error) {
	return view(s, fullName, func(r *repo) ([]Ruleset, error) { return r.desk.rulesets.all(nil), nil })
}

// Ruleset finds one.
func (s *Store) Ruleset(fullName string, id int64) (*Ruleset, error) {
	return view(s, fullName, func(r *repo) (*Ruleset, error) {
		x, err := r.desk.rulesets.get(id)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}

// DropRuleset deletes a ruleset.
func (s *Store) DropRuleset(fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		_, err := r.desk.rulesets.get(id)
		if err == nil {
			discard(s, r, &r.desk.rulesets, "ruleset", id)
		}
		return struct{}{}, err
	})
	return err
}

// Bypasses says how the actor may pass a ruleset: "always", "pull_requests_only" or "never".
func (s *Store) Bypasses(a Actor, fullName string, x Ruleset) (string, error) {
	return view(s, fullName, func(r *repo) (string, error) { return s.bypasses(a, r, &x), nil })
}

func (s *Store) bypasses(a Actor, r *repo, x *Ruleset) string {
	out := "never"
	for _, b := range x.Bypass {
		switch {
		case !s.isActor(a, r, b):
		case b.Mode == "pull_request":
			out = "pull_requests_only"
		default:
			return "always"
		}
	}
	return out
}

func (s *Store) isActor(a Actor, r *repo, b Bypass) bool {
	if b.Type == "Integration" {
		return a.App != nil && a.App.ID == b.Actor
	}
	if a.App != nil || a.Anonymous() {
		return false
	}
	switch b.Type {
	case "User":
		return a.User.ID == b.Actor
	case "OrganizationAdmin":
		o, ok := s.orgs[fold(r.Owner.Login)]
		return ok && o.owners[fold(a.User.Login)]
	case "RepositoryRole":
		roles := map[int64]Role{1: Read, 2: Maintain, 3: Triage, 4: Write, 5: Admin} // GitHub's ids of its own roles
		need, known := roles[b.Actor]
		return known && s.role(r, a.User) >= need
	case "Team":
		for _, t := range s.teams {
			if t.ID == b.Actor && slices.ContainsFunc(t.Members, func(m string) bool { return fold(m) == fold(a.User.Login) }) {
				return true
			}
		}
	}
	return false
}

// covers says whether a ruleset is about a ref.
func (x *Ruleset) covers(r *repo, ref string) bool {
	kind := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[x.Target]
	if !strings.HasPrefix(ref, kind) {
		return false
	}
	hit := func(pattern string) bool {
		switch pattern {
		case "~ALL":
			return true
		case "~DEFAULT_BRANCH":
			return ref == "refs/heads/"+r.DefaultBranch
		}
		return Fnmatch(pattern, ref)
	}
	return slices.ContainsFunc(x.Include, hit) && !slices.ContainsFunc(x.Exclude, hit)
}

// Fnmatch matches as Ruby's File.fnmatch with FNM_PATHNAME, which GitHub's rulesets use: * stops at a slash, and **/
// stands for any number of directories.
func Fnmatch(pattern, name string) bool {
	var re strings.Builder
	re.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			if strings.HasPrefix(pattern[i:], "**/") && (i == 0 || pattern[i-1] == '/') {
				re.WriteString(`(?:[^/]+/)*`)
				i += 2
				continue
			}
			re.WriteString(`[^/]*`)
		case '?':
			re.WriteString(`[^/]`)
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	re.WriteString("$")
	compiled, err := regexp.Compile(re.String())
	return err == nil && compiled.MatchString(name)
}

// inForce lists the rulesets that cover a ref now: the repository's active ones, a branch's protection, and the seed's
// rules for incident branches and for the default branch, whose required checks do not bind admins.
func (s *Store) inForce(r *repo, ref string) []*Ruleset {
	var out []*Ruleset
	for _, id := range r.desk.rulesets.order {
		if x := r.desk.rulesets.byID[id]; x.Enforcement == "active" && x.covers(r, ref) {
			out = append(out, x)
		}
	}
	for _, p := range r.desk.protections.byID {
		if ref == "refs/heads/"+p.Branch {
			out = append(out, p.ruleset())
		}
	}
	if len(r.RequiredChecks) > 0 && ref == "refs/heads/"+r.DefaultBranch {
		var checks CheckRule
		for _, name := range r.RequiredChecks {
			checks.Checks = append(checks.Checks, RequiredCheck{Context: name})
		}
		out = append(out, &Ruleset{
			classic: true, Rules: []Rule{withParameters(RuleChecks, checks)},
			Bypass: []Bypass{{Actor: 5, Type: "RepositoryRole", Mode: "always"}},
		})
	}
	if r.IncidentApp != "" && strings.HasPrefix(ref, "refs/heads/incident/") {
		x := &Ruleset{Rules: []Rule{{Type: RuleCreation}, {Type: RuleUpdate}, {Type: RuleDeletion}}}
		if app := s.appBySlug(r.IncidentApp); app != nil {
			x.Bypass = []Bypass{{Actor: app.ID, Type: "Integration", Mode: "always"}}
		}
		out = append(out, x)
	}
	return out
}

// An ActiveRule is a rule that holds for a branch, and the ruleset that it comes from.
type ActiveRule struct {
	Rule
	Ruleset int64
}

// BranchRules lists the rules of active rulesets for a branch, which need not exist.
func (s *Store) BranchRules(fullName, branch string) ([]ActiveRule, error) {
	return view(s, fullName, func(r *repo) ([]ActiveRule, error) {
		out := []ActiveRule{}
		for _, x := range s.inForce(r, "refs/heads/"+branch) {
			if x.ID == 0 {
				continue // not a ruleset to GitHub
			}
			for _, rule := range x.Rules {
				out = append(out, ActiveRule{rule, x.ID})
			}
		}
		return out, nil
	})
}

// A Verdict is what the rules say to a change of a ref: the violations in GitHub's words, and whether the ref may only
// move forward, which the caller has to see to. Classic: all of it comes from branch protection.
type Verdict struct {
	Violations []string
	Forward    bool
	Classic    bool
}

// RefRules judges a change of a ref by the actor.
func (s *Store) RefRules(a Actor, fullName, ref string, push Push) (Verdict, error) {
	return view(s, fullName, func(r *repo) (Verdict, error) {
		v := Verdict{Classic: true}
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok && !s.mayPush(a, r, r.protection(branch)) {
			v.Violations = append(v.Violations, "You're not authorized to push to this branch.")
		}
		for _, x := range s.inForce(r, ref) {
			if s.bypasses(a, r, x) == "always" {
				continue
			}
			for _, rule := range x.Rules {
				before := len(v.Violations)
				v.judge(r, rule, push)
				if len(v.Violations) > before || rule.Type == RuleForward {
					v.Classic = v.Classic && x.classic
				}
			}
		}
		return v, nil
	})
}

func (v *Verdict) judge(r *repo, rule Rule, push Push) {
	add := func(text string) {
		if !slices.Contains(v.Violations, text) {
			v.Violations = append(v.Violations, text)
		}
	}
	moved := !push.Created() && !push.Deleted()
	switch {
	case rule.Type == RuleCreation && push.Created():
		add("Cannot create ref due to creations being restricted.")
	case rule.Type == RuleUpdate && moved:
		add("Cannot update this protected ref.")
	case rule.Type == RuleDeletion && push.Deleted():
		add("Cannot delete this protected ref.")
	case rule.Type == RuleForward && moved:
		v.Forward = true
	case rule.Type == RulePull && moved:
		add("Changes must be made through a pull request.")
	case rule.Type == RuleChecks && moved:
		p, err := parameters[CheckRule](rule)
		if err != nil {
			add("Required status checks are expected.") // unreachable: parameters are checked before they are kept
			return
		}
		p.Checks = slices.DeleteFunc(p.Checks, func(c RequiredCheck) bool { return r.wants(push.After, c) == "" })
		switch len(p.Checks) {
		case 0:
		case 1:
			add(fmt.Sprintf("Required status check %q is expected.", p.Checks[0].Context))
		default:
			add(fmt.Sprintf("%d of %d required status checks are expected.", len(p.Checks), len(p.Checks)))
		}
	}
}
