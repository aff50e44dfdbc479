package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// openFlag is small where the benchmarks only have to run; the issue asks about 1,000.
var openFlag = flag.Int("open", 10, "how many incidents are open in BenchmarkRebuild and BenchmarkAcknowledge")

// crowd is a world with many open incidents.
type crowd struct {
	world  *world
	opened chan struct{}
}

func newCrowd(ctx context.Context, b *testing.B, runbook string) *crowd {
	b.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	w, err := newWorld(ctx, stage{dir: b.TempDir(), listen: "127.0.0.1:0", files: map[string]string{"runbooks/crowd.cue": runbook, "pullbook.cue": chainPolicy}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.close)
	c := &crowd{world: w, opened: make(chan struct{}, *openFlag)}
	handler := w.server.Handler
	w.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(rw, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") {
			c.opened <- struct{}{}
		}
	})
	return c
}

// fill opens the incidents.
func (c *crowd) fill(b *testing.B, engine string) {
	b.Helper()
	for i := range *openFlag {
		postCrowd(b, engine, i)
	}
	for range *openFlag {
		<-c.opened
	}
}

// postCrowd sends an alert of the group with that number, and returns how long the answer took.
func postCrowd(b *testing.B, engine string, group int) time.Duration {
	body := fmt.Sprintf(`{"name": "Crowd", "group": "crowd-%d", "labels": {"service": "crowd"}}`, group)
	start := time.Now()
	resp, err := http.Post(engine+"/alerts/generic", "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		b.Error(err)
		return 0
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.Errorf("the alert was answered %s", resp.Status)
	}
	return time.Since(start)
}

// crowdRunbook waits for a person.
const crowdRunbook = `title: "Wait"
match: labels: service: "crowd"
alert: _
steps: look: manual: "Look at it."
`

// BenchmarkRebuild is the time in which an engine that knows nothing reads every open incident from git and looks at the hub, and the
// resident memory of `pullbook serve` after it has done so. The issue asks for at most 10 s and 150 MiB with -open 1000.
func BenchmarkRebuild(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	c := newCrowd(ctx, b, crowdRunbook)
	first, stop := context.WithCancel(ctx)
	svc, err := c.world.service(first, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- svc.run(first) }()
	c.fill(b, "http://"+svc.listener.Addr().String())
	c.settle()
	stop()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
	svc.close()
	for b.Loop() {
		c.rebuild(ctx, b)
	}
	b.ReportMetric(float64(c.resident(b))/1024, "MiB-resident")
}

// settle waits until nobody has asked the hub for anything for a while.
func (c *crowd) settle() {
	for last, now := -1, 0; last != now; {
		time.Sleep(2 * time.Second)
		last, now = now, c.world.requests().calls
	}
}

// rebuild has an engine that knows nothing look at everything.
func (c *crowd) rebuild(ctx context.Context, b *testing.B) {
	b.StopTimer()
	if err := os.RemoveAll(filepath.Join(c.world.dir, "engine", "bookmarks")); err != nil {
		b.Fatal(err)
	}
	fresh := *c.world
	fresh.hooks = nil // a listener of its own
	svc, err := fresh.service(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		b.StopTimer()
		svc.releaseLedger(ctx)
		svc.close()
		b.StartTimer()
	}()
	heads, err := svc.ledger().Heads(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	var looks sync.WaitGroup
	slots := make(chan struct{}, 16) // as the inbox has
	for branch := range heads {
		if strings.HasPrefix(branch, incident.BranchPrefix) {
			slots <- struct{}{}
			looks.Go(func() {
				defer func() { <-slots }()
				if err := svc.engine.Handle(ctx, engine.Message{Kind: engine.KindLook, Key: branch}); err != nil {
					b.Error(err)
				}
			})
		}
	}
	looks.Wait()
}

// resident starts `pullbook serve` on the ledger, and returns its resident memory in KiB when it has looked at everything.
func (c *crowd) resident(b *testing.B) (kib int) {
	dir := c.world.dir
	cmd := exec.Command(os.Args[0], "serve", "--hub", c.world.url+"/api/v3", "--repo", demoOwner+"/"+demoName, "--app-id", fmt.Sprint(demoAppID),
		"--app-key", filepath.Join(dir, "app.pem"), "--data", filepath.Join(dir, "engine"), "--listen", "127.0.0.1:0",
		"--signing-key", filepath.Join(dir, "signing_key"), "--private-networks", "--limits", "off")
	cmd.Args[0] = "pullbook"
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
	}()
	c.settle()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
		b.Fatalf("read its memory in %q: %v", status, err)
	}
	return kib
}
