package gitstore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
	agent       = "pullbook"
	// maxReply bounds the bytes of one answer; a pack has its own bounds too.
	maxReply = 256 << 20
)

// errNotServed is the server's refusal to send what was asked for: an unknown
// object, or one that may not be asked for by id.
var errNotServed = errors.New("the server does not serve it")

// wire speaks git's smart HTTP, version 0 (git's Documentation/gitprotocol-http).
// go-git's own HTTP session follows redirects and reports a refusal as text,
// so only its codecs are used.
type wire struct {
	base        *url.URL
	client      *http.Client
	credentials func(ctx context.Context) (user, password string, err error)
	rejected    func(password string)

	maxPack int64 // bytes of all objects in one answer, inflated

	reads, pushes, sent, received atomic.Int64
}

// newWire binds the credentials to one address: the client follows no
// redirect, keeps no cookies, and the address carries no password.
func newWire(c Config) (*wire, error) {
	base, err := url.Parse(c.URL)
	if err != nil {
		// The parser's error quotes the address, which may hold a password.
		return nil, errors.New("open store: the address is not a URL")
	}
	if (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" {
		return nil, fmt.Errorf("open store: want an https address, not the scheme %q", base.Scheme)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("open store: the address must hold no user, query or fragment")
	}
	if base.Scheme == "http" && c.Credentials != nil && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("open store: credentials would travel unencrypted to %s", base.Host)
	}
	client := http.Client{Timeout: 5 * time.Minute}
	if c.Client != nil {
		client = *c.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &wire{base: base, client: &client, credentials: c.Credentials, rejected: c.Rejected, maxPack: maxPack}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// call is one request to the server.
type call struct {
	method, path, query    string
	contentType, wantReply string
	body                   []byte
}

// do sends one call and gives the body of a 200 answer, bounded. Errors name
// neither headers nor credentials.
func (w *wire) do(ctx context.Context, c call) (io.ReadCloser, error) {
	target := w.base.JoinPath(c.path)
	target.RawQuery = c.query
	req, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, errors.New("the request cannot be built")
	}
	req.Header.Set("User-Agent", "git/"+agent)
	req.Header.Set("Accept", c.wantReply)
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if w.credentials != nil {
		user, password, err := w.credentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("get credentials: %w", err)
		}
		req.SetBasicAuth(user, password)
	}
	w.sent.Add(int64(len(c.body)))
	res, err := w.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s: %w", w.base.Host, err)
	}
	if _, password, with := req.BasicAuth(); with && res.StatusCode == http.StatusUnauthorized && w.rejected != nil {
		w.rejected(password)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("%s answered %s", w.base.Host, http.StatusText(res.StatusCode)+fmt.Sprintf(" (%d)", res.StatusCode))
	}
	if got := res.Header.Get("Content-Type"); got != c.wantReply {
		res.Body.Close()
		return nil, fmt.Errorf("%s answered with content type %q: not a git server", w.base.Host, clip(got))
	}
	return &counted{body: res.Body, left: maxReply, total: &w.received}, nil
}

// counted counts and bounds what is read of an answer.
type counted struct {
	body  io.ReadCloser
	left  int64
	total *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.total.Add(int64(n))
	if c.left -= int64(n); c.left < 0 {
		return n, fmt.Errorf("answer of more than %d bytes: %w", int64(maxReply), errTooLarge)
	}
	return n, err
}

func (c *counted) Close() error { return c.body.Close() }

// advertise asks for the refs and capabilities of a service.
func (w *wire) advertise(ctx context.Context, service string) (*packp.AdvRefs, error) {
	w.reads.Add(1)
	body, err := w.do(ctx, call{
		method: http.MethodGet, path: "info/refs", query: "service=" + service,
		wantReply: "application/x-" + service + "-advertisement",
	})
	if err != nil {
		return nil, fmt.Errorf("read the refs: %w", err)
	}
	defer body.Close()
	refs := packp.NewAdvRefs()
	if err := refs.Decode(body); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, fmt.Errorf("read the refs of %s: %w", w.base.Host, err)
	}
	return refs, nil
}

// fetch is one request for objects.
type fetch struct {
	wants   []Hash
	have    Hash // zero: none
	shallow bool // wants are commits, without their parents
	filter  packp.Filter
}

// fetched is the answer: the objects, and whether the server knew the have.
type fetched struct {
	objects map[Hash]object
	common  bool
}

// encode gives the request, asking for what both sides can do. No multi_ack:
// with at most one have there is nothing to negotiate. No thin pack: bases
// would have to be kept.
func (f fetch) encode(caps *capability.List) (*packp.UploadPackRequest, []byte, error) {
	req := packp.NewUploadPackRequest()
	for _, c := range []capability.Capability{capability.Sideband64k, capability.OFSDelta, capability.NoProgress, capability.Filter, capability.Shallow} {
		if caps.Supports(c) {
			if err := req.Capabilities.Set(c); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, want := range f.wants {
		req.Wants = append(req.Wants, plumbing.Hash(want))
	}
	if !f.have.IsZero() {
		req.Haves = append(req.Haves, plumbing.Hash(f.have))
	}
	if f.shallow {
		req.Depth = packp.DepthCommits(1)
	}
	if req.Capabilities.Supports(capability.Filter) {
		req.Filter = f.filter
	}
	var b bytes.Buffer
	if err := req.UploadRequest.Encode(&b); err != nil {
		return nil, nil, err
	}
	if err := req.UploadHaves.Encode(&b, false); err != nil {
		return nil, nil, err
	}
	if err := pktline.NewEncoder(&b).EncodeString("done\n"); err != nil {
		return nil, nil, err
	}
	return req, b.Bytes(), nil
}

// fetch asks for a pack. errNotServed when the server refuses what is wanted.
func (w *wire) fetch(ctx context.Context, caps *capability.List, f fetch) (fetched, error) {
	req, encoded, err := f.encode(caps)
	if err != nil {
		return fetched{}, fmt.Errorf("encode fetch: %w", err)
	}
	w.reads.Add(1)
	body, err := w.do(ctx, call{
		method: http.MethodPost, path: uploadPack, body: encoded,
		contentType: "application/x-" + uploadPack + "-request", wantReply: "application/x-" + uploadPack + "-result",
	})
	if err != nil {
		return fetched{}, fmt.Errorf("fetch: %w", err)
	}
	defer body.Close()
	packed, err := readHeader(bufio.NewReader(body), f.shallow)
	if err != nil {
		return fetched{}, fmt.Errorf("fetch from %s: %w", w.base.Host, err)
	}
	r := packed.rest
	if req.Capabilities.Supports(capability.Sideband64k) {
		r = sideband.NewDemuxer(sideband.Sideband64k, r)
	}
	objects, err := readPack(r, w.maxPack)
	if err != nil {
		return fetched{}, fmt.Errorf("fetch from %s: %w", w.base.Host, err)
	}
	return fetched{objects: objects, common: packed.common}, nil
}

// answered is an answer up to where the pack begins.
type answered struct {
	common bool
	rest   io.Reader
}

// readHeader reads shallow lines up to a flush if they were asked for, then
// one ACK or NAK (git's gitprotocol-pack(5)).
func readHeader(r io.Reader, shallow bool) (answered, error) {
	lines := pktline.NewScanner(r)
	for lines.Scan() {
		line := string(lines.Bytes())
		switch {
		case shallow && line == "":
			shallow = false
		case shallow && (strings.HasPrefix(line, "shallow ") || strings.HasPrefix(line, "unshallow ")):
		case !shallow && (strings.HasPrefix(line, "ACK ") || strings.HasPrefix(line, "NAK")):
			return answered{common: line[0] == 'A', rest: r}, nil
		default:
			return answered{}, fmt.Errorf("unexpected line %q", clip(line))
		}
	}
	var refusal *pktline.ErrorLine
	if errors.As(lines.Err(), &refusal) {
		return answered{}, fmt.Errorf("%w: %q", errNotServed, clip(refusal.Text))
	}
	if lines.Err() != nil {
		return answered{}, lines.Err()
	}
	// git-upload-pack that dies on a bad want may say so on its own stderr only.
	return answered{}, fmt.Errorf("%w: empty answer", errNotServed)
}
