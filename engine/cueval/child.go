package cueval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The exit statuses of the child. Go itself ends with 2 when it cannot get memory or a stack grows too deep.
const (
	exitDone    = 0
	exitMemory  = 4
	exitRequest = 5
	exitFatal   = 2
)

// maxRequest and maxReply bound what parent and child send each other, in bytes.
const (
	maxRequest = 64 << 20
	maxReply   = 32 << 20
)

// stayedGarbage is how much garbage a child that stays lets grow, in percent of what is in use; Go begins to collect at 4 MiB for
// each hundred. To have the same memory again costs less than to get new memory for every request.
const stayedGarbage = 400

// Child evaluates the requests that in holds, as a rule one, writes the replies to out, and returns the exit status of the
// process. It is the whole life of a process: it limits the memory of the process, and ends it when there is too little.
func Child(in io.Reader, out io.Writer) int {
	bounded := &io.LimitedReader{R: in, N: maxRequest}
	dec, enc := json.NewDecoder(bounded), json.NewEncoder(out)
	read, stop := &texts{}, make(chan struct{})
	defer close(stop)
	for n := 0; ; n++ {
		var q childRequest
		err := dec.Decode(&q)
		if n > 0 && errors.Is(err, io.EOF) {
			return exitDone
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "read the request:", err)
			return exitRequest
		}
		if n == 0 {
			confine(q)
			go watchMemory(q.Memory/16*13, stop) // the rest is for the program itself, and for what is taken between two looks
		}
		if n == 1 && q.Memory > 0 {
			debug.SetGCPercent(stayedGarbage)
		}
		read.lasting = n > 0
		for r := range read.replies(q) {
			r.Held = heldBytes()
			if err := enc.Encode(r); err != nil {
				fmt.Fprintln(os.Stderr, "write the reply:", err)
				return exitRequest
			}
		}
		bounded.N = maxRequest
	}
}

// guarded answers, and turns a panic of CUE into an error: a runbook that makes it panic is wrong, not the engine.
func (t *texts) guarded(q childRequest) (r childReply) {
	defer func() {
		if x := recover(); x != nil {
			t.books = nil // nobody knows where it was
			r = childReply{Error: fmt.Sprintf("the evaluation of %s panicked: %v", q.Query.Source.Runbook, x)}
		}
	}()
	return t.answer(q)
}

// confine sets the limits that the process has over itself; limitProcess adds those of the system.
func confine(q childRequest) {
	if q.Memory == 0 {
		return
	}
	debug.SetGCPercent(-1)                        // the process is short, and mostly ends before it would pay
	debug.SetMemoryLimit(int64(q.Memory / 8 * 5)) // from here on it does
	debug.SetMaxStack(int(q.Memory / 2))
	debug.SetTraceback("none")
	limitProcess(q.Memory, q.CPU)
}

// watchMemory ends the process when it holds more memory than allowed. The system's limit alone would count what Go has
// reserved but does not use, and does not exist everywhere.
func watchMemory(most uint64, stop <-chan struct{}) {
	if most == 0 {
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if heldBytes() > most {
			os.Exit(exitMemory)
		}
	}
}

// heldBytes is the memory that Go holds in this process.
func heldBytes() uint64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
