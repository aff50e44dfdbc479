package state

import (
	"slices"
	"sort"
	"strings"
)

// newRepo is a repository with nothing in it. Checks are counted from the clock, so that a pull request's revision also
// grows over a restart.
func (s *Store) newRepo(r Repo) *repo {
	return &repo{
		Repo: r, pulls: map[int]*Pull{}, reviews: map[int][]*Review{}, comments: map[int][]*Comment{},
		labels: map[string]Label{}, statuses: map[string][]Status{},
		heads: map[string][]int{}, tips: map[string]string{}, commentByID: map[int64]*Comment{},
		runByID: map[int64]*Run{}, runsBySHA: map[string][]*Run{}, suiteByID: map[int64]*Suite{}, suitesBySHA: map[string][]*Suite{},
		checks: s.now().UnixMicro(),
	}
}

func (w *world) addRepo(r *repo) {
	w.repos[fold(r.FullName())] = r
	w.repoByID[r.ID] = r
}

func (r *repo) addPull(p *Pull) {
	p.repo = r.ID
	r.pulls[p.Number] = p
	r.numbers = insert(r.numbers, p.Number)
	r.heads[p.Head.Ref] = insert(r.heads[p.Head.Ref], p.Number)
	r.tips[p.Head.SHA] = p.Head.Ref
	r.reopenOrClose(p)
}

// reopenOrClose keeps the index of open pull requests.
func (r *repo) reopenOrClose(p *Pull) {
	at, found := slices.BinarySearch(r.open, p.Number)
	switch {
	case p.Open() && !found:
		r.open = slices.Insert(r.open, at, p.Number)
	case !p.Open() && found:
		r.open = slices.Delete(r.open, at, at+1)
	}
}

func insert(sorted []int, n int) []int {
	at, found := slices.BinarySearch(sorted, n)
	if found {
		return sorted
	}
	return slices.Insert(sorted, at, n)
}

func (r *repo) addComment(c *Comment) {
	r.comments[c.Pull] = append(r.comments[c.Pull], c)
	r.commentByID[c.ID] = c
}

func (r *repo) dropComment(c *Comment) {
	r.comments[c.Pull] = slices.DeleteFunc(slices.Clone(r.comments[c.Pull]), func(x *Comment) bool { return x.ID == c.ID })
	delete(r.commentByID, c.ID)
}

func (r *repo) addRun(run *Run) {
	r.runByID[run.ID] = run
	r.runsBySHA[run.HeadSHA] = append(r.runsBySHA[run.HeadSHA], run)
}

func (r *repo) addSuite(x *Suite) {
	r.suiteByID[x.ID] = x
	r.suitesBySHA[x.HeadSHA] = append(r.suitesBySHA[x.HeadSHA], x)
}

// A PullFilter selects pull requests; empty fields select all.
type PullFilter struct {
	State      string // open, closed, merged, all; empty: open
	Head, Base string // branch names
	Author     string // login
	Label      string // name
	Text       string // in title or body, without regard to case
	Sort       string // created, updated, popularity, long-running; empty: created
	Ascending  bool
}

// A Window is a part of a list: at most Limit items (0: all) after the first Offset.
type Window struct {
	Offset, Limit int
}

// Pulls lists a repository's pull requests. It copies each: to show some of many, use PullsIn.
func (s *Store) Pulls(fullName string, f PullFilter) ([]*Pull, error) {
	out, _, err := s.PullsIn(fullName, f, Window{})
	return out, err
}

// PullsIn lists the part of a repository's pull requests that the window shows, and says how many there are in all.
func (s *Store) PullsIn(fullName string, f PullFilter, w Window) (_ []*Pull, total int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, 0, err
	}
	found := r.find(f)
	from := min(max(w.Offset, 0), len(found))
	to := len(found)
	if w.Limit > 0 {
		to = min(from+w.Limit, to)
	}
	out := make([]*Pull, 0, to-from)
	for _, p := range found[from:to] {
		out = append(out, copyOf(r, p))
	}
	return out, len(found), nil
}

// PullCounts says how many of a repository's pull requests are open and closed.
func (s *Store) PullCounts(fullName string) (open, closed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return 0, 0, err
	}
	return len(r.open), len(r.numbers) - len(r.open), nil
}

// find lists the pull requests themselves, beginning with the shortest index that holds them all.
func (r *repo) find(f PullFilter) []*Pull {
	numbers := r.numbers
	if f.State == "" || f.State == "open" {
		numbers = r.open
	}
	if f.Head != "" && len(r.heads[f.Head]) < len(numbers) {
		numbers = r.heads[f.Head]
	}
	f.Text = strings.ToLower(f.Text)
	var out []*Pull
	for _, n := range numbers {
		if p := r.pulls[n]; f.takes(p) {
			out = append(out, p)
		}
	}
	if f.Sort == "updated" || f.Sort == "popularity" {
		sort.SliceStable(out, func(i, j int) bool {
			if f.Sort == "updated" {
				return out[i].Updated.Before(out[j].Updated)
			}
			return out[i].Comments < out[j].Comments
		})
	}
	if !f.Ascending {
		slices.Reverse(out)
	}
	return out
}

func (f PullFilter) takes(p *Pull) bool {
	switch f.State {
	case "all":
	case "merged":
		if !p.Merged {
			return false
		}
	case "":
		if !p.Open() {
			return false
		}
	default:
		if p.State != f.State {
			return false
		}
	}
	return (f.Head == "" || p.Head.Ref == f.Head) && (f.Base == "" || p.Base.Ref == f.Base) &&
		(f.Author == "" || strings.EqualFold(p.Author.Login, f.Author)) &&
		(f.Label == "" || slices.ContainsFunc(p.Labels, func(l Label) bool { return strings.EqualFold(l.Name, f.Label) })) &&
		(f.Text == "" || f.says(p))
}

func (f PullFilter) says(p *Pull) bool {
	return strings.Contains(strings.ToLower(p.Title), f.Text) || strings.Contains(strings.ToLower(p.Body), f.Text)
}
