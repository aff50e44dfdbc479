package step

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

func probeOf(url string) Job {
	return job("probe", map[string]any{"http": map[string]any{"url": url}, "every": "5ms"})
}

func rateIsLow(_ context.Context, said json.RawMessage) (bool, error) {
	var a struct {
		Status int
		Body   struct{ Rate *float64 }
	}
	if err := json.Unmarshal(said, &a); err != nil {
		return false, err
	}
	if a.Body.Rate == nil {
		return false, errors.New("body.rate is not there")
	}
	return a.Status == 200 && *a.Body.Rate < 0.01, nil
}

// The service is away, broken, of the wrong shape, not yet well, and then well.
func TestProbeGoesOnUntilTheConditionHolds(t *testing.T) {
	var tries atomic.Int32
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch tries.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			_, _ = io.WriteString(w, `{"rat":1}`)
		case 4:
			_, _ = io.WriteString(w, `{"rate":0.5}`)
		default:
			_, _ = io.WriteString(w, `{"rate":0.001}`)
		}
	})
	j := probeOf(url)
	j.HasOutput = true
	r := newRunner(t, nil)
	r.cfg.Now = func() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }
	got := r.Run(t.Context(), j, rateIsLow)
	expect(t, got, runbook.Succeeded, "")
	if string(got.Output) != `{"rate":0.001}` || got.Facts["tries"] != "5" || got.Facts["status"] != "200" || got.Facts["url"] != url {
		t.Errorf("output %s, facts %v", got.Output, got.Facts)
	}
	log := strings.Split(got.Log, "\n")
	if len(log) != 6 || !strings.HasSuffix(log[0], "EOF") || log[4] != "2026-11-22T09:30:00Z try 5: condition holds" {
		t.Errorf("log %q", got.Log)
	}
}

func TestProbeTimesOut(t *testing.T) {
	tests := map[string]struct {
		answer, want string
	}{
		"not yet":     {`{"rate":0.5}`, "answered 200 OK, condition does not hold"},
		"wrong shape": {`no json at all`, "cannot unmarshal"},
		"too long":    {strings.Repeat("x", outputLimit+1), "larger than"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := probeOf(serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.answer) }))
			j.Timeout = time.Second
			got := r.Run(t.Context(), j, rateIsLow)
			expect(t, got, runbook.TimedOut, "not done within 1s")
			if !strings.Contains(got.Log, tt.want) || !strings.Contains(got.Log, "[last answer]\n"+tt.answer[:10]) {
				t.Errorf("log %.400q", got.Log)
			}
		})
	}
}

// TestProbeAsksOnceInARehearsal: nothing is done there that a probe could wait for.
func TestProbeAsksOnceInARehearsal(t *testing.T) {
	answer := `{"rate":0.5}`
	j := probeOf(serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	j.Once, j.Timeout = true, time.Hour
	r := newRunner(t, nil)
	got := r.Run(t.Context(), j, rateIsLow)
	expect(t, got, runbook.TimedOut, "asked once, since this is a rehearsal")
	if got.Facts["tries"] != "1" {
		t.Errorf("asked %s times", got.Facts["tries"])
	}
	answer = `{"rate":0.001}`
	expect(t, r.Run(t.Context(), j, rateIsLow), runbook.Succeeded, "")
}

// The request that the timeout interrupts says nothing about the condition: its earlier error must not be forgotten.
func TestProbeRemembersWhatWasWrongWithTheAnswer(t *testing.T) {
	var tries atomic.Int32
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if tries.Add(1) > 1 {
			<-q.Context().Done()
		}
		_, _ = io.WriteString(w, `{}`)
	})
	j := probeOf(url)
	j.Timeout = time.Second
	got := newRunner(t, nil).Run(t.Context(), j, rateIsLow)
	expect(t, got, runbook.TimedOut, "the condition could not be evaluated: body.rate is not there")
}

func TestProbeDoesNotWaitForOneHangingRequest(t *testing.T) {
	var tries atomic.Int32
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if tries.Add(1) == 1 {
			<-q.Context().Done()
		}
		_, _ = io.WriteString(w, `{"rate":0}`)
	})
	r := newRunner(t, nil)
	r.tryTimeout = 50 * time.Millisecond
	got := r.Run(t.Context(), probeOf(url), rateIsLow)
	expect(t, got, runbook.Succeeded, "")
	if got.Facts["tries"] == "1" {
		t.Errorf("facts %v", got.Facts)
	}
}

func TestProbeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { cancel() })
	expect(t, newRunner(t, nil).Run(ctx, probeOf(url), rateIsLow), runbook.Cancelled, "cancelled: ")
}

func TestProbeOutputMustBeAnObject(t *testing.T) {
	j := probeOf(serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }))
	j.HasOutput = true
	always := func(context.Context, json.RawMessage) (bool, error) { return true, nil }
	expect(t, newRunner(t, nil).Run(t.Context(), j, always), runbook.Failed, "not one JSON object")
}

func TestProbeSendsItsBodyEachTime(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	j := probeOf(url)
	set(&j, "http.method", "POST")
	set(&j, "http.body", `{"q":1}`)
	tries := 0
	got := newRunner(t, nil).Run(t.Context(), j, func(_ context.Context, said json.RawMessage) (bool, error) {
		if !strings.Contains(string(said), `"body":{"q":1}`) {
			t.Errorf("try %d was answered %s", tries, said)
		}
		tries++
		return tries == 3, nil
	})
	expect(t, got, runbook.Succeeded, "")
}

func TestAnswerShape(t *testing.T) {
	ans := &http.Response{StatusCode: 202, Header: http.Header{"X-A": {"1", "2"}}}
	for body, want := range map[string]string{
		" {\"a\":1}\n": `{"status":202,"headers":{"X-A":"1, 2"},"body":{"a":1}}`,
		"plain":        `{"status":202,"headers":{"X-A":"1, 2"},"body":"plain"}`,
		"":             `{"status":202,"headers":{"X-A":"1, 2"},"body":""}`,
	} {
		got, err := answerJSON(ans, []byte(body))
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v", body, got, err)
		}
	}
}
