package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/intake"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/runbook"
)

// openFlag is small where the benchmarks only have to run; the issue asks about 1,000.
var openFlag = flag.Int("open", 10, "how many incidents are open in BenchmarkRebuild and BenchmarkAcknowledge")

// crowdFlag spares the time in which a thousand incidents are opened.
var crowdFlag = flag.String("crowd", "", "a directory in which BenchmarkRebuild keeps its open incidents, and finds them the next time")

// crowd is a world with many open incidents.
type crowd struct {
	world  *world
	opened chan struct{}
}

// kept opens the world that an earlier run has left in a directory; nil if there is none.
func kept(b *testing.B, dir string) *crowd {
	b.Helper()
	address, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		return nil
	}
	w := &world{dir: dir, url: string(address), owner: demoOwner, librarian: "carol", limits: "off", count: newTally()}
	b.Cleanup(w.close)
	listener, err := net.Listen("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	w.hub, err = localhub.Open(localhub.Config{Dir: filepath.Join(dir, "hub"), Logger: slog.New(slog.DiscardHandler), OnRequest: w.count.add})
	if err != nil {
		b.Fatal(err)
	}
	w.server = &http.Server{Handler: w.hub.Handler()}
	go w.server.Serve(listener) //nolint:errcheck // it ends with ErrServerClosed
	return &crowd{world: w}
}

func newCrowd(ctx context.Context, b *testing.B, dir, runbook string) *crowd {
	b.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	w, err := newWorld(ctx, stage{dir: dir, listen: "127.0.0.1:0", files: map[string]string{"runbooks/crowd.cue": runbook, "pullbook.cue": chainPolicy}})
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
	start := time.Now()
	resp, err := http.Post(engine+"/alerts/generic", "application/json", bytes.NewReader(crowdAlert(group)))
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

func crowdAlert(group int) []byte {
	return fmt.Appendf(nil, `{"name": "Crowd", "group": "crowd-%d", "labels": {"service": "crowd"}}`, group)
}

// crowdRunbook waits for a person.
const crowdRunbook = `title: "Wait"
match: labels: service: "crowd"
alert: _
steps: look: manual: task: "Look at it"
`

// once is the evaluator of an engine to which all alerts are alike but for their groups: each question is asked once. So a thousand
// incidents are opened by the engine itself, and no minutes go by with evaluations.
type once struct {
	engine.Eval
	mu    sync.Mutex
	route *runbook.Route
	plans map[string]runbook.Plan
}

func (o *once) Route(ctx context.Context, files map[string][]byte, alert json.RawMessage) (r runbook.Route, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.route == nil {
		if r, err = o.Eval.Route(ctx, files, alert); err != nil {
			return r, err
		}
		o.route = &r
	}
	return *o.route, nil
}

func (o *once) Load(ctx context.Context, src runbook.Source) (p runbook.Plan, problems []runbook.Problem, err error) {
	p, err = o.plan("load "+src.Runbook, func() (p runbook.Plan, err error) {
		p, problems, err = o.Eval.Load(ctx, src)
		return p, err
	})
	return p, problems, err
}

func (o *once) Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error) {
	return o.plan(fmt.Sprint("resolve ", q.Source.Runbook, len(q.Ended)), func() (runbook.Plan, error) { return o.Eval.Resolve(ctx, q) })
}

// plan returns the answer to a question, with steps of its own: the engine pins files to them.
func (o *once) plan(question string, ask func() (runbook.Plan, error)) (runbook.Plan, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, known := o.plans[question]
	if !known {
		var err error
		if p, err = ask(); err != nil {
			return p, err
		}
		o.plans[question] = p
	}
	p.Steps = slices.Clone(p.Steps)
	return p, nil
}

// BenchmarkRebuild is the time in which an engine that knows nothing has the state of every open incident, from git alone, by the sweep
// with which it starts; git-requests is what that asked of the hub, and s-cpu the processor time of engine and hub in it. s-looks is
// what it then takes to look at each for the first time, at the hub and with the runbook evaluated. MiB-resident is the
// memory of `pullbook serve` after it has done both. The issue asks for at most 10 s and 150 MiB with -open 1000.
func BenchmarkRebuild(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	c := kept(b, *crowdFlag)
	if c == nil {
		c = newCrowd(ctx, b, cmp.Or(*crowdFlag, b.TempDir()), crowdRunbook)
		c.open(ctx, b)
	}
	for b.Loop() {
		c.rebuild(ctx, b)
	}
	b.ReportMetric(float64(c.resident(b))/1024, "MiB-resident")
}

// open has an engine open the incidents.
func (c *crowd) open(ctx context.Context, b *testing.B) {
	first, stop := context.WithCancel(ctx)
	svc, err := c.world.service(first, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	svc.engine.Eval = &once{Eval: svc.engine.Eval, plans: map[string]runbook.Plan{}}
	stopped := make(chan error, 1)
	go func() { stopped <- svc.run(first) }()
	c.fill(b, "http://"+svc.listener.Addr().String())
	c.settle()
	stop()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
	svc.close()
	if *crowdFlag != "" {
		if err := os.WriteFile(filepath.Join(c.world.dir, "url"), []byte(c.world.url), 0o600); err != nil {
			b.Fatal(err)
		}
	}
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
	reads, used := svc.store.Stats().Reads, processorTime(b)
	b.StartTimer()
	if err := svc.engine.Handle(ctx, engine.Message{Kind: engine.KindSweep, Key: "ledger"}); err != nil {
		b.Error(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(svc.store.Stats().Reads-reads), "git-requests")
	b.ReportMetric((processorTime(b) - used).Seconds(), "s-cpu")
	sideBySide(*openFlag, func(i int) {
		if err := ask(ctx, svc.engine, i); err != nil {
			b.Error(err)
		}
	})
	begun := time.Now()
	branches := slices.DeleteFunc(slices.Collect(maps.Keys(heads)), func(branch string) bool { return !strings.HasPrefix(branch, incident.BranchPrefix) })
	sideBySide(len(branches), func(i int) {
		if err := svc.engine.Handle(ctx, engine.Message{Kind: engine.KindLook, Key: branches[i]}); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(time.Since(begun).Seconds(), "s-looks")
}

// processorTime is what this process, and those of its children that have ended, have taken of the processors.
func processorTime(b *testing.B) (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// sideBySide does as much at a time as the inbox does.
func sideBySide(n int, f func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}

// ask says that an alert still fires, as Alertmanager does when it is asked: the engine reads its incident, whose journal knows it,
// and has nothing to record.
func ask(ctx context.Context, e *engine.Engine, group int) error {
	alerts, err := intake.Parse("generic", crowdAlert(group))
	if err != nil {
		return err
	}
	body, err := json.Marshal(engine.Arrival{Alert: alerts[0], Asked: true})
	if err != nil {
		return err
	}
	return e.Handle(ctx, engine.Message{Kind: engine.KindAlert, Key: alerts[0].Group, Body: body})
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
