package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/audit"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

// scene is a hub and a service in this process, and an engine in another that can be killed.
type scene struct {
	world  *world
	toy    *toy     // nil unless startToy was called
	token  string   // of alert sources; empty: loopback may send without
	env    []string // of the engine, over this process's
	inbox  string   // PostgreSQL database of the engines' inbox; empty: a file
	asks   string   // address of the Alertmanager that the engine asks what fires; empty: none
	sweep  string   // how often the engine looks at every open incident; empty: so often that a test need not wait for it
	hooks  hooks
	log    bytes.Buffer // of the engine; read only when it has exited
	effect atomic.Int32 // rollbacks of the service

	mu     sync.Mutex
	engine *exec.Cmd
	exited chan struct{}
	read   map[string][]incident.Event // journals that were read, by commit and slot
}

// hooks see what happens around the engine. Each may be unset. The hub and the service answer while they are set.
type hooks struct {
	before hook[func(*http.Request) bool] // a request to the hub; true cuts it off: the hub never sees it
	after  hook[func(*http.Request)]      // the hub has done it, and has not told yet that it is done
	rolled hook[func()]                   // the service has rolled back
}

// hook holds one function, which handlers get while a test sets it.
type hook[F any] struct{ f atomic.Pointer[F] }

func (h *hook[F]) set(f F) { h.f.Store(&f) }

// get returns the zero F while none is set.
func (h *hook[F]) get() (f F) {
	if p := h.f.Load(); p != nil {
		return *p
	}
	return f
}

// plainPolicy lets the team command, and lets no runbook change anything without an approval.
const plainPolicy = `name: "acme"
command: ["acme/sre"]
policy: steps: [_]: {
	risk: string
	if risk != "read" {
		approval!: count!: >=1
	}
	...
}
`

// newScene sets up a hub; startToy the service, serve the engine. The directory of the stage is the test's. Its policy is
// plainPolicy, unless the stage has another.
func newScene(t *testing.T, st stage) *scene {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &scene{read: map[string][]incident.Event{}}
	var err error
	if st.files["pullbook.cue"] == "" {
		st.files = maps.Clone(st.files)
		if st.files == nil {
			st.files = map[string]string{}
		}
		st.files["pullbook.cue"] = plainPolicy
	}
	st.dir, st.listen = t.TempDir(), "127.0.0.1:0"
	st.wrap = func(hub http.Handler) http.Handler { return s.watch(openapitest.Wrap(t, hub)) }
	if s.world, err = newWorld(ctx, st); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.world.close)
	return s
}

// startToy starts the service that the demonstration's runbook looks after.
func (s *scene) startToy(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var err error
	if s.toy, err = newToy(); err != nil {
		t.Fatal(err)
	}
	defer s.toy.serve(ctx)
	inner := s.toy.server.Handler
	s.toy.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if r.URL.Path != "/rollback" {
			return
		}
		s.effect.Add(1)
		if rolled := s.hooks.rolled.get(); rolled != nil {
			rolled()
		}
	})
}

func (s *scene) watch(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := s.hooks.before.get(); before != nil && before(r) {
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(w, r)
		if after := s.hooks.after.get(); after != nil {
			after(r)
		}
	})
}

// fromEngine tells the engine's requests to the hub from those of people.
func (s *scene) fromEngine(r *http.Request) bool {
	for _, token := range s.world.tokens {
		if strings.HasSuffix(r.Header.Get("Authorization"), token) {
			return false
		}
		if _, password, ok := r.BasicAuth(); ok && password == token {
			return false
		}
	}
	return true
}

func isPush(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack")
}

// address is where the engine listens.
func (s *scene) address() string { return "http://" + s.world.hooks.Addr().String() }

// serve starts the engine and waits until it answers.
func (s *scene) serve(t *testing.T) {
	t.Helper()
	s.world.hooks.Close() // the address is the engine's from here on
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	t.Cleanup(func() {
		if status := s.end(syscall.SIGTERM); status != 0 { // gently: a push that is cut off goes on in the hub's git for a while
			t.Errorf("SIGTERM ended the engine with status %d", status)
		}
		if t.Failed() {
			t.Logf("the engine's log:\n%s", s.log.String())
		}
	})
	s.awaitHealth(t)
}

func (s *scene) awaitHealth(t *testing.T) {
	t.Helper()
	waitFor(t, "the engine answers", func() bool {
		resp, err := http.Get(s.address() + "/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// start runs this test binary as pullbook serve. The caller holds the lock.
func (s *scene) start() { s.engine, s.exited = s.launch("engine", &s.log) }

// launch starts an engine that has the data directory of that name, and logs there.
func (s *scene) launch(data string, log io.Writer) (engine *exec.Cmd, exited chan struct{}) {
	return s.launchFor(demoName, s.world.hooks.Addr().String(), data, log)
}

// launchFor starts an engine for one ledger of the organisation.
func (s *scene) launchFor(ledger, listen, data string, log io.Writer) (engine *exec.Cmd, exited chan struct{}) {
	dir := s.world.dir
	cmd := exec.Command(os.Args[0], "serve", "--hub", s.world.url+"/api/v3", "--repo", demoOwner+"/"+ledger, "--app-id", fmt.Sprint(demoAppID),
		"--app-key", filepath.Join(dir, "app.pem"), "--data", filepath.Join(dir, data), "--listen", listen,
		"--webhook-secret-file", filepath.Join(dir, "webhook.secret"), "--signing-key", filepath.Join(dir, "signing_key"),
		"--private-networks", "--limits", "off", "--sweep", cmp.Or(s.sweep, "1s"))
	if s.token != "" {
		cmd.Args = append(cmd.Args, "--alert-token-file", filepath.Join(dir, "alert.token"))
	}
	if s.inbox != "" {
		cmd.Args = append(cmd.Args, "--inbox", s.inbox)
	}
	if s.asks != "" {
		cmd.Args = append(cmd.Args, "--alertmanager", s.asks)
	}
	cmd.Args[0] = "pullbook"
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	exited = make(chan struct{})
	if err := cmd.Start(); err != nil {
		panic(err) // unreachable: the binary is this one
	}
	go func() { _ = cmd.Wait(); close(exited) }()
	return cmd, exited
}

// end signals the engine and waits until it is gone. It returns the exit status, -1 if a signal ended it.
func (s *scene) end(sig os.Signal) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signal(sig)
}

func (s *scene) signal(sig os.Signal) int {
	_ = s.engine.Process.Signal(sig) // it may be gone already
	<-s.exited
	return s.engine.ProcessState.ExitCode()
}

// restart kills the engine with SIGKILL and starts it again.
func (s *scene) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(syscall.SIGKILL)
	s.start()
}

// setToken makes alert sources show a token. It is called before serve.
func (s *scene) setToken(t *testing.T, token string) {
	t.Helper()
	s.token = token
	if err := os.WriteFile(filepath.Join(s.world.dir, "alert.token"), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, good func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !good() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// parcel is one POST to the engine.
type parcel struct {
	path   string
	body   []byte
	header map[string]string // "" as a value takes the header away
}

// post sends a parcel, with the alert token unless the parcel says otherwise. The engine has to answer.
func (s *scene) post(t *testing.T, p parcel) (status int, answer string) {
	t.Helper()
	status, answer, err := s.send(t, p)
	if err != nil {
		t.Fatalf("post to %s: %v", p.path, err)
	}
	return status, answer
}

func (s *scene) send(t *testing.T, p parcel) (status int, answer string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address()+p.path, bytes.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	for name, value := range p.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read the answer: %w", err)
	}
	return resp.StatusCode, string(text), nil
}

// alarm is an alert in the generic format.
type alarm struct {
	Name        string            `json:"name"`
	Group       string            `json:"group,omitempty"`
	Status      string            `json:"status,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// raise sends an alert, which the engine has to take, and returns its group.
func (s *scene) raise(t *testing.T, a alarm) (group string) {
	t.Helper()
	group, err := s.offer(t, a)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// offer sends an alert, which the engine may take or not.
func (s *scene) offer(t *testing.T, a alarm) (group string, err error) {
	t.Helper()
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := s.send(t, parcel{path: "/alerts/generic", body: body})
	if err != nil {
		return "", err
	}
	var receipt struct{ Groups []string }
	if err := json.Unmarshal([]byte(answer), &receipt); err != nil || status != http.StatusAccepted || len(receipt.Groups) != 1 {
		return "", fmt.Errorf("the alert was answered %d: %s", status, answer)
	}
	return receipt.Groups[0], nil
}

// verify demands that the ledger's history verifies with the engine's key.
func (s *scene) verify(t *testing.T, incidents int) {
	t.Helper()
	s.verifyRepo(t, s.world.bareRepo(), incidents)
}

func (s *scene) verifyRepo(t *testing.T, bare string, incidents int) {
	t.Helper()
	s.verifyMany(t, bare, func(n int) bool { return n == incidents })
}

// verifyMany demands that a ledger verifies, and has the right number of incidents.
func (s *scene) verifyMany(t *testing.T, bare string, right func(incidents int) bool) {
	t.Helper()
	clone, err := gitstore.OpenClone(bare)
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	trust, err := audit.TrustKey(s.world.fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	report := audit.Verify(clone, audit.Options{Trust: trust})
	if report.OK() && report.Verdict() == "verified" && right(len(report.Incidents)) {
		return
	}
	text, err := json.MarshalIndent(report, "", "  ")
	t.Errorf("the incidents are not verified, or not as many as there should be: %s", errors.Join(fmt.Errorf("%s", text), err))
}
