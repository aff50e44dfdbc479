package git

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// MaxPush is the largest push, as on GitHub.
const MaxPush = 2 << 30

// Service is the part of the smart protocol that a request speaks.
type Service string

// The two services of gitprotocol-http(5).
const (
	Upload  Service = "git-upload-pack"
	Receive Service = "git-receive-pack"
)

// protocolForm is what may reach git's environment from the Git-Protocol header.
var protocolForm = regexp.MustCompile(`^version=[0-9](:[a-z0-9=]+)*$`)

func (g *Repos) service(ctx context.Context, repo string, s Service, r *http.Request, flags ...string) *exec.Cmd {
	args := append([]string{string(s)[len("git-"):], "--stateless-rpc"}, flags...)
	cmd := g.command(ctx, repo, append(args, ".")...)
	if p := r.Header.Get("Git-Protocol"); protocolForm.MatchString(p) && len(p) < 100 {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+p)
	}
	return cmd
}

// Advertise answers GET info/refs. The caller has authorised the actor for the service.
func (g *Repos) Advertise(w http.ResponseWriter, r *http.Request, repo string, s Service) error {
	cmd := g.service(r.Context(), repo, s, r, "--http-backend-info-refs")
	out, err := output(cmd, nil, []string{string(s)})
	if err != nil {
		return fmt.Errorf("advertise the refs of %s: %w", repo, err)
	}
	answer(w, "application/x-"+string(s)+"-advertisement")
	if !bytes.HasPrefix(out, []byte("000eversion 2")) {
		line := "# service=" + string(s) + "\n"
		fmt.Fprintf(w, "%04x%s0000", len(line)+4, line)
	}
	_, err = w.Write(out)
	return wrapIO(err)
}

func answer(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
}

func wrapIO(err error) error {
	if err != nil {
		return fmt.Errorf("answer a git client: %w", err)
	}
	return nil
}

func requestBody(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, MaxPush))
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(body)
	if err != nil {
		return nil, &state.Refusal{Status: http.StatusBadRequest, Message: "The request is not what its Content-Encoding says."}
	}
	return io.LimitReader(z, MaxPush), nil
}

// Serve answers POST git-upload-pack: git's output goes to the client as it comes.
func (g *Repos) Serve(w http.ResponseWriter, r *http.Request, repo string) error {
	body, err := requestBody(w, r)
	if err != nil {
		return err
	}
	cmd := g.service(r.Context(), repo, Upload, r)
	var errText bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = body, flusher{w, http.NewResponseController(w)}, &errText
	answer(w, "application/x-git-upload-pack-result")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("serve a fetch of %s: %w: %s", repo, err, errText.String())
	}
	return nil
}

// flusher sends each piece of a pack at once.
type flusher struct {
	w io.Writer
	c *http.ResponseController
}

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		return n, err
	}
	if err := f.c.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return n, err
	}
	return n, nil
}

// Receive answers POST git-receive-pack. git's report is held back until the state knows what moved, so that a client
// that heard "ok" finds its push in REST. A push that has arrived whole is carried out also for a client that has gone.
func (g *Repos) Receive(w http.ResponseWriter, r *http.Request, a state.Actor, repo string) error {
	body, err := requestBody(w, r)
	if err != nil {
		return err
	}
	commands, begin, err := readCommands(body)
	if err != nil {
		return err
	}
	whole, err := g.spool(begin, body)
	if err != nil {
		return err
	}
	defer unspool(whole) //nolint:errcheck // Sweep takes what is left
	ctx, end := g.begin(r.Context(), repo)
	defer end()
	before, err := g.Refs(ctx, repo, "")
	if err != nil {
		return err
	}
	cmd := g.service(ctx, repo, Receive, r)
	rules, err := g.guard(a, repo, commands)
	if err != nil {
		return err
	}
	if rules.file != "" {
		defer os.Remove(rules.file)
		hooks, err := g.ruleHooks()
		if err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, "LOCALHUB_RULES="+rules.file, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0="+hooks)
	}
	report, runErr := output(cmd, whole, []string{string(Receive)})

	// The refs are compared even when git failed: what moved has moved.
	after, err := g.Refs(ctx, repo, "")
	if err != nil {
		return err
	}
	if err := g.publish(ctx, a, repo, moves(before, after), 0); err != nil {
		return err
	}
	if runErr != nil && len(report) == 0 {
		return fmt.Errorf("serve a push to %s: %w", repo, runErr)
	}
	answer(w, "application/x-git-receive-pack-result")
	_, err = w.Write(worded(report, rules.classic))
	return wrapIO(err)
}
