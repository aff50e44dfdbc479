package inbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// poweredPath makes this test binary an engine that works at that path for a while, under the eyes of strace.
const poweredPath = "PULLBOOK_INBOX_TEST_POWERED"

var (
	cuts    = flag.Int("cuts", 60, "at how many moments TestPowerCut takes the power away")
	cutSeed = flag.Uint64("cutseed", 0, "seed of the cuts of TestPowerCut, not of the engine that is cut off; 0: a new one")
)

// poweredEngine stores messages and steps while it handles and runs them, and says a line for all that it acknowledged. The
// bodies are long enough that the log is moved into the database, and begun anew, some times.
func poweredEngine(path string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	in, err := Open(ctx, at(path))
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- in.Run(ctx, script{
			handle: func(_ context.Context, m Message) error {
				fmt.Println("handled", m.Kind, m.Key) // that a step's outcome is looked at says that it is on disk
				return nil
			},
			step: func(_ context.Context, s Step) (json.RawMessage, error) {
				fmt.Println("running", s.Key)
				return json.RawMessage(strconv.Quote("did " + s.Key)), nil
			},
		})
	}()
	for i := range 60 {
		key := fmt.Sprint(i)
		body := []byte(strconv.Quote(strings.Repeat("x", 1<<(i%16))))
		if _, err := in.PutOnce(ctx, key, Message{Kind: "alert", Key: key, Body: body}); err != nil {
			return err
		}
		fmt.Println("stored alert", key)
		if err := in.Put(ctx, Message{Kind: "timer", Key: key, Due: time.Now().Add(time.Hour)}); err != nil {
			return err
		}
		fmt.Println("stored timer", key)
		if i%6 == 0 {
			if err := in.StartStep(ctx, Step{Key: "s" + key, Incident: "s" + key}); err != nil {
				return err
			}
			fmt.Println("queued step s" + key)
		}
	}
	stop()
	return <-done
}

// act is one thing that a process did to the disk, or said.
type act struct {
	kind string // write, cut, sync, remove or say
	file string // base name; "." is the directory
	at   int64  // where a write begins, or how long a file that was cut is
	data []byte
}

// traced runs the engine under strace and returns what it did, in order. A write counts from where its call begins, a sync to where it
// ends; what it covers is what was written before it began.
func traced(t *testing.T, dir string) (acts []act) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	log := filepath.Join(t.TempDir(), "strace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-xx", "-s", "10000000", "-o", log,
		"-e", "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,sync_file_range,ftruncate,unlink,unlinkat", os.Args[0])
	cmd.Env = append(os.Environ(), poweredPath+"="+filepath.Join(dir, "inbox.db"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the engine under strace: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	text, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	tr := tracer{dir: dir, syncs: map[string]string{}}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		tr.line(t, lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return tr.acts
}

// tracer reads the lines of strace.
type tracer struct {
	dir   string
	acts  []act
	syncs map[string]string // by thread: the file whose sync has begun
}

var callLine = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$`)

func (tr *tracer) line(t *testing.T, line []byte) {
	t.Helper()
	m := callLine.FindSubmatch(line)
	if m == nil {
		return // an exit, or a signal
	}
	thread, call, args := string(m[1]), string(m[2]), string(m[3])
	resumed, begun := bytes.Contains(line, []byte(" resumed>")), strings.HasSuffix(args, "<unfinished ...>")
	file, ours := tr.file(args)
	switch call {
	case "fsync", "fdatasync":
		switch {
		case begun && ours:
			tr.syncs[thread] = file
			tr.acts = append(tr.acts, act{kind: "syncing", file: file})
		case resumed && tr.syncs[thread] != "":
			tr.acts = append(tr.acts, act{kind: "sync", file: tr.syncs[thread]})
			delete(tr.syncs, thread)
		case ours:
			tr.acts = append(tr.acts, act{kind: "syncing", file: file}, act{kind: "sync", file: file})
		}
	case "write", "pwrite64":
		said := strings.HasPrefix(args, "1<")
		if resumed || !ours && !said {
			return
		}
		data, rest := quoted(t, args)
		a := act{kind: "write", file: file, data: data}
		if said {
			a.kind = "say"
		} else if call == "write" {
			t.Fatalf("a write without a place: %.300s", line)
		} else if _, err := fmt.Sscanf(rest, ", %d, %d", new(int), &a.at); err != nil {
			t.Fatalf("%v: %.300s", err, rest)
		}
		tr.acts = append(tr.acts, a)
	case "ftruncate":
		if a := (act{kind: "cut", file: file}); ours && !resumed {
			if _, err := fmt.Sscanf(args[strings.Index(args, ">, ")+3:], "%d", &a.at); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			tr.acts = append(tr.acts, a)
		}
	case "unlink", "unlinkat":
		path, _ := quoted(t, args)
		if !resumed && filepath.Dir(string(path)) == tr.dir {
			tr.acts = append(tr.acts, act{kind: "remove", file: filepath.Base(string(path))})
		}
	default:
		if ours {
			t.Fatalf("the disk has no %s: %.300s", call, line)
		}
	}
}

// file is the name of the file of the inbox that the first argument of a call is open on. What SQLite shares between connections is no
// file of a disk: it is made anew.
func (tr *tracer) file(args string) (name string, ours bool) {
	_, rest, _ := strings.Cut(args, "<")
	coded, _, found := strings.Cut(rest, ">")
	path, err := hex.DecodeString(strings.ReplaceAll(coded, `\x`, ""))
	if !found || err != nil {
		return "", false
	}
	if string(path) == tr.dir {
		return ".", true
	}
	name = filepath.Base(string(path))
	return name, filepath.Dir(string(path)) == tr.dir && !strings.HasSuffix(name, "-shm")
}

// quoted decodes the first text of some arguments.
func quoted(t *testing.T, args string) (data []byte, rest string) {
	t.Helper()
	_, text, _ := strings.Cut(args, `"`)
	text, rest, found := strings.Cut(text, `"`)
	data, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if err != nil || !found || strings.HasPrefix(rest, "...") {
		t.Fatalf("no whole text in %.300s: %v", args, err)
	}
	return data, rest
}

const sector = 512 // bytes that a disk writes as one

// platter is what a disk may hold after the power was cut: all that was synced, and of the rest what chance has it, sector by sector
// and in any order.
type platter struct {
	dice  *rand.Rand
	files map[string]*track
}

type track struct {
	data    []byte
	pending []act // written since the sync that ended last, in order
	syncing int   // how many of these a sync that has begun covers
	named   bool  // its name is on disk
	removed bool  // since the directory was synced
}

func (p *platter) track(name string) *track {
	if p.files[name] == nil {
		p.files[name] = &track{}
	}
	return p.files[name]
}

func (p *platter) do(a act) {
	f := p.track(a.file)
	switch {
	case a.kind == "say" || a.kind == "syncing" && a.file == ".":
	case a.kind == "syncing":
		f.syncing = len(f.pending)
	case a.kind == "sync" && a.file == ".":
		for name, f := range p.files {
			if f.named = true; f.removed {
				delete(p.files, name)
			}
		}
	case a.kind == "sync":
		for _, w := range f.pending[:f.syncing] {
			f.apply(w)
		}
		f.pending, f.syncing = f.pending[f.syncing:], 0
	case a.kind == "remove":
		f.removed = true
	default:
		if f.removed { // a new file of the same name
			*f = track{}
		}
		f.pending = append(f.pending, a)
	}
}

func (f *track) apply(w act) {
	if w.kind == "cut" {
		f.data = append(f.data, make([]byte, max(0, int(w.at)-len(f.data)))...)[:w.at]
		return
	}
	f.data = append(f.data, make([]byte, max(0, int(w.at)+len(w.data)-len(f.data)))...)
	copy(f.data[w.at:], w.data)
}

// left writes what is there when the power is back.
func (p *platter) left(t *testing.T, dir string) {
	t.Helper()
	likely := p.dice.Float64() // how much of what was not synced got there
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		f := p.files[name]
		if name == "." || !f.named && p.dice.IntN(2) == 0 || f.removed && p.dice.IntN(2) == 0 {
			continue
		}
		for _, w := range f.pending {
			if w.kind == "cut" {
				if p.dice.Float64() < likely {
					f.apply(w)
				}
				continue
			}
			for begin := 0; begin < len(w.data); {
				end := min(len(w.data), begin+sector-int(w.at+int64(begin))%sector)
				if p.dice.Float64() < likely {
					f.apply(act{at: w.at + int64(begin), data: w.data[begin:end]})
				}
				begin = end
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), f.data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPowerCut takes the power away at random moments of an engine's work, with a disk that has kept what was synced and any part of the
// rest. What was acknowledged is there, a step that may have begun does not begin again, and nothing is taken for damage.
//
// The disk is made of what strace saw the process write and sync: the SQLite of this package takes no file system of a
// test's own, and a kill alone shows nothing, since what the kernel has survives it.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	acts := traced(t, dir)
	seed := *cutSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test ./engine/inbox -run TestPowerCut -cuts %d -cutseed %d: %d writes, syncs and words", *cuts, seed, len(acts))
	begins := 0 // of the log: it is moved into the database before it begins again
	for _, a := range acts {
		if a.kind == "write" && a.file == "inbox.db-wal" && a.at == 0 {
			begins++
		}
	}
	if begins < 2 {
		t.Errorf("the log began %d times: the trace does not cover a checkpoint", begins)
	}
	for i := range *cuts {
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		cut := dice.IntN(len(acts) + 1)
		p := platter{dice: dice, files: map[string]*track{}}
		var said []string
		for _, a := range acts[:cut] {
			p.do(a)
			if a.kind == "say" {
				said = append(said, strings.TrimSpace(string(a.data)))
			}
		}
		after := t.TempDir()
		p.left(t, after)
		afterPowerCut(t, filepath.Join(after, "inbox.db"), said)
		if t.Failed() {
			t.Fatalf("cut %d, after %d acts and the words %q", i, cut, said[max(0, len(said)-5):])
		}
	}
}

// afterPowerCut compares an inbox with what was said before the power went.
func afterPowerCut(t *testing.T, path string, said []string) {
	t.Helper()
	in := open(t, path)
	defer in.Close()
	if why := in.Recovered(); why != "" && len(said) > 0 {
		t.Errorf("the power cut was taken for damage: %s", why)
	}
	for _, words := range said {
		what, rest, _ := strings.Cut(words, " ")
		kind, key, _ := strings.Cut(rest, " ")
		switch {
		case what == "stored" && !slices.Contains(said, "handled "+rest):
			var n int
			if err := in.db.QueryRowContext(t.Context(), "SELECT count(*) FROM message WHERE kind = $1 AND key = $2", kind, key).Scan(&n); err != nil || n != 1 {
				t.Errorf("there are %d of the %s %s, want 1: %v", n, kind, key, err)
			}
			if fresh, err := in.PutOnce(t.Context(), key, Message{Kind: kind, Key: key}); kind == "alert" && (fresh || err != nil) {
				t.Errorf("the delivery %s was taken again: %v", key, err)
			}
		case what == "queued" || what == "running" || what == "handled" && kind == KindLook:
			incident := rest
			if what != "running" {
				incident = key
			}
			steps, err := in.Steps(t.Context(), incident, 0)
			if err != nil || len(steps) != 1 {
				t.Errorf("the steps of %s are %v: %v", incident, steps, err)
				continue
			}
			state := steps[0].State
			if what == "running" && state == StepQueued || what == "handled" && state != StepEnded {
				t.Errorf("after %q the step is %s", words, state)
			}
		}
	}
}
