package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// The figures are mostly the disk's: what it takes to sync once.

func BenchmarkPut(b *testing.B) {
	in := fresh(b)
	for i := 0; b.Loop(); i++ {
		put(b, in, Message{Kind: "alert", Key: fmt.Sprint(i % 100), Body: []byte(`{"labels":{"alertname":"HighErrorRate"}}`)})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

func BenchmarkPutParallel(b *testing.B) {
	in := fresh(b)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := in.Put(b.Context(), Message{Kind: "alert", Key: "k"}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// BenchmarkHop is the time from the call of Put to the start of the handler.
func BenchmarkHop(b *testing.B) {
	in := fresh(b)
	handled := make(chan Message)
	start(b, in, script{handle: func(_ context.Context, m Message) error { handled <- m; return nil }})
	put(b, in, Message{Kind: "alert", Key: "k"})
	receive(b, handled)
	for b.Loop() {
		put(b, in, Message{Kind: "alert", Key: "k"})
		receive(b, handled)
	}
}

// BenchmarkStep is the time from the call of StartStep to the handling of the look at its outcome.
func BenchmarkStep(b *testing.B) {
	in := fresh(b)
	looked := make(chan string)
	start(b, in, script{handle: looks(looked), step: func(context.Context, Step) (json.RawMessage, error) { return nil, nil }})
	for i := 0; b.Loop(); i++ {
		startStep(b, in, Step{Key: fmt.Sprint(i), Incident: "i"})
		receive(b, looked)
	}
}

// BenchmarkTimer reports how late a timer comes.
func BenchmarkTimer(b *testing.B) {
	in := fresh(b)
	late := make(chan time.Duration)
	start(b, in, script{handle: func(_ context.Context, m Message) error { late <- time.Since(m.Due); return nil }})
	var sum time.Duration
	for b.Loop() {
		put(b, in, Message{Kind: "timer", Key: "k", Due: time.Now().Add(50 * time.Millisecond)})
		sum += receive(b, late)
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "ms-late/op")
}

// BenchmarkIdle reports what an inbox with 1,000 timers takes of the processors while none of them is due. Each iteration is a second.
func BenchmarkIdle(b *testing.B) {
	in := fresh(b)
	timers := make([]Message, 1000)
	for i := range timers {
		timers[i] = Message{Kind: "timer", Key: fmt.Sprint(i), Due: time.Now().Add(time.Hour)}
	}
	if err := in.Put(b.Context(), timers...); err != nil {
		b.Fatal(err)
	}
	looked := make(chan string)
	start(b, in, script{handle: looks(looked), step: func(context.Context, Step) (json.RawMessage, error) { return nil, nil }})
	startStep(b, in, Step{Key: "s", Incident: "i"})
	receive(b, looked) // Run has begun
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	used := processorTime(b)
	for b.Loop() {
		<-tick.C
	}
	b.ReportMetric((processorTime(b)-used).Seconds()/b.Elapsed().Minutes(), "s-cpu/min")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
