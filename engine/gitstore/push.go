package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// maxPush bounds the objects of one push; what is beyond takes the next one.
const maxPush = 64 << 20

// Why a push of a branch ended without its commits on the hub. Any other error
// of Flush may pass: flush again.
var (
	// ErrMoved: the branch is not where the commits were built on. Discard
	// them, read the branch, decide again.
	ErrMoved = errors.New("branch has moved on the hub")
	// ErrRefused: the branch is where it was, and the hub's rules do not let
	// this push through.
	ErrRefused = errors.New("the hub refused the push")
)

// PushError is an ErrMoved or ErrRefused with its branch.
type PushError struct {
	Branch string
	At     Hash   // where the branch is; zero: it does not exist
	Reason string // the server's words, clipped; empty when it gave none
	Err    error  // ErrMoved or ErrRefused
}

func (e *PushError) Error() string {
	text := fmt.Sprintf("push branch %q, which is at %s: %v", e.Branch, e.At, e.Err)
	if e.Reason != "" {
		text += fmt.Sprintf(": %q", e.Reason)
	}
	return text
}

func (e *PushError) Unwrap() error { return e.Err }

func moved(branch string, at Hash) error {
	return &PushError{Branch: branch, At: at, Err: ErrMoved}
}

// freight is one branch's part of a push.
type freight struct {
	branch   string
	ref      plumbing.ReferenceName
	old, new Hash
	objects  []object
	size     int
	sent     bool // before, with no answer: the hub may have them from us
}

// loadFreight takes a copy of what is pending. It checks, whatever the server
// checks, that the new tip descends from the old one, or from the commit that
// is to stand instead of it.
func (s *Store) loadFreight(branch string) (*freight, error) {
	ref, err := refName(branch)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pending[branch]
	if p == nil {
		return nil, nil
	}
	f := &freight{branch: branch, ref: ref, old: p.old, new: p.tip(), sent: p.sent}
	last := p.from
	for _, c := range p.commits {
		if c.parent != last {
			// unreachable unless bug in this package
			return nil, fmt.Errorf("push branch %q: commit %s does not follow %s", branch, c.id, last)
		}
		last = c.id
		f.objects = append(f.objects, c.objects...)
		for _, o := range c.objects {
			f.size += len(o.data)
		}
	}
	return f, nil
}

// depart pushes the pending commits of the branches, not atomically, and says
// what became of each.
func (s *Store) depart(ctx context.Context, branches []string) map[string]outcome {
	out := map[string]outcome{}
	var load []*freight
	size := 0
	for _, branch := range branches {
		f, err := s.loadFreight(branch)
		if err == nil {
			err = s.mayPush(branch)
		}
		switch {
		case err != nil || f == nil:
			out[branch] = outcome{err: err}
		case size > 0 && size+f.size > maxPush:
			out[branch] = outcome{again: nextPush}
		default:
			load, size = append(load, f), size+f.size
		}
	}
	if len(load) == 0 {
		return out
	}
	report, err := s.send(ctx, load)
	if report == nil {
		s.unanswered(load)
	}
	var doubtful []*freight
	whole := true
	for _, f := range load {
		if status, _ := report.of(f.ref); status {
			s.landed(f.branch, f.new)
			out[f.branch], whole = outcome{}, false
		} else {
			doubtful = append(doubtful, f)
		}
	}
	if len(doubtful) > 0 {
		d := doubt{report: report, cause: err, alone: whole && len(load) > 1}
		s.settle(ctx, doubtful, d, out)
	}
	return out
}

// reply is the server's report on a push; nil when none arrived.
type reply struct{ status *packp.ReportStatus }

// of tells whether the server says that it moved ref, and its words if not.
func (r *reply) of(ref plumbing.ReferenceName) (bool, string) {
	if r == nil {
		return false, ""
	}
	if r.status.UnpackStatus != "ok" {
		return false, r.status.UnpackStatus
	}
	for _, c := range r.status.CommandStatuses {
		if c.ReferenceName == ref {
			return c.Status == "ok", c.Status
		}
	}
	return false, "the server did not report on it"
}

// send makes the one request. An error means that no whole report arrived,
// which says nothing about what the server did.
func (s *Store) send(ctx context.Context, load []*freight) (*reply, error) {
	caps, err := s.capabilities(ctx, receivePack)
	if err != nil {
		return nil, err
	}
	if !caps.Supports(capability.ReportStatus) {
		return nil, errors.New("push: the server reports no status")
	}
	var objects []object
	req := packp.NewReferenceUpdateRequest()
	for _, f := range load {
		objects = append(objects, f.objects...)
		req.Commands = append(req.Commands, &packp.Command{Name: f.ref, Old: plumbing.Hash(f.old), New: plumbing.Hash(f.new)})
	}
	pack, err := writePack(objects)
	if err != nil {
		return nil, err
	}
	req.Packfile = io.NopCloser(bytes.NewReader(pack))
	for _, c := range []capability.Capability{capability.ReportStatus, capability.Sideband64k} {
		if caps.Supports(c) {
			if err := req.Capabilities.Set(c); err != nil {
				return nil, fmt.Errorf("push: ask for %s: %w", c, err)
			}
		}
	}
	return s.wire.push(ctx, req)
}

// push posts the request and reads the report.
func (w *wire) push(ctx context.Context, req *packp.ReferenceUpdateRequest) (*reply, error) {
	var b bytes.Buffer
	if err := req.Encode(&b); err != nil {
		return nil, fmt.Errorf("encode push: %w", err)
	}
	w.pushes.Add(1)
	body, err := w.do(ctx, call{
		method: http.MethodPost, path: receivePack, body: b.Bytes(),
		contentType: "application/x-" + receivePack + "-request", wantReply: "application/x-" + receivePack + "-result",
	})
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	defer body.Close()
	var r io.Reader = body
	if req.Capabilities.Supports(capability.Sideband64k) {
		r = sideband.NewDemuxer(sideband.Sideband64k, body)
	}
	status := packp.NewReportStatus()
	if err := status.Decode(r); err != nil {
		return nil, fmt.Errorf("push: read the report of %s: %w", w.base.Host, err)
	}
	return &reply{status: status}, nil
}

// doubt is what is known when a branch was not reported as moved.
type doubt struct {
	report *reply
	cause  error // why there is no report
	alone  bool  // nothing of a push of several went through
}

// settle reads the refs again and judges by where they are: the words of a
// report do not tell a lost race from a rule, and a lost reply tells nothing.
func (s *Store) settle(ctx context.Context, doubtful []*freight, d doubt, out map[string]outcome) {
	refs, err := s.refs(ctx)
	for _, f := range doubtful {
		if err != nil {
			out[f.branch] = outcome{err: fmt.Errorf("push branch %q: outcome not known: %w", f.branch, errors.Join(d.cause, err))}
			continue
		}
		out[f.branch] = s.judge(f, refs[f.ref], d)
	}
}

func (s *Store) judge(f *freight, at Hash, d doubt) outcome {
	_, reason := d.report.of(f.ref)
	switch {
	case at == f.new && d.report != nil && !f.sent:
		// Refused, and there all the same: another engine with this key has
		// made the same commit in the same moment, and acts on it.
		return outcome{err: &PushError{Branch: f.branch, At: at, Reason: clip(reason), Err: ErrMoved}}
	case at == f.new:
		s.landed(f.branch, at)
		return outcome{}
	case at != f.old && s.landed(f.branch, at):
		// An earlier push, its reply lost, had carried the first of them.
		return outcome{err: fmt.Errorf("push branch %q: the hub has it up to our %s", f.branch, at)}
	case at != f.old:
		return outcome{err: &PushError{Branch: f.branch, At: at, Reason: clip(reason), Err: ErrMoved}}
	case d.report == nil:
		return outcome{err: fmt.Errorf("push branch %q: did not arrive: %w", f.branch, d.cause)}
	case d.alone:
		return outcome{again: alonePush}
	default:
		return outcome{err: &PushError{Branch: f.branch, At: at, Reason: clip(reason), Err: ErrRefused}}
	}
}

// unanswered takes note that a push may have arrived although nobody said so.
func (s *Store) unanswered(load []*freight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range load {
		if p := s.pending[f.branch]; p != nil {
			p.sent = true
		}
	}
}

// landed takes note that the hub's branch is at one of our pending commits,
// and tells whether it is one.
func (s *Store) landed(branch string, at Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pending[branch]
	if p == nil {
		return false
	}
	for i, c := range p.commits {
		if c.id == at {
			p.old, p.from, p.commits = at, at, p.commits[i+1:]
			if len(p.commits) == 0 {
				delete(s.pending, branch)
			}
			return true
		}
	}
	return false
}
