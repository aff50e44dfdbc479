package inbox

import (
	"context"
	"time"
)

// mostWaiting bounds those who wait for a seat in memory: what comes then is found again by its trigger.
const mostWaiting = 1000

// seats bound how many handlers of one sort work at once, whoever brought them their work: a trigger, or a handover. Those who wait
// get theirs in the order in which they came.
type seats struct {
	places  chan struct{}
	waiting map[string]int64 // what was handed over and waits, with the latest time that was named for it; see worker.mu
	most    int              // that wait
}

func newSeats(n int) *seats {
	return &seats{places: make(chan struct{}, n), waiting: map[string]int64{}, most: mostWaiting}
}

// handover is work that is due now and is begun by the Run in progress as soon as its row is stored and there is a seat for it,
// without a trigger. nil is none, and then a trigger brings the work.
type handover struct {
	w  *worker
	at *seats
}

// handover finds the Run in progress for something that is due now.
func (in *Inbox) handover(of func(*worker) *seats) *handover {
	in.mu.Lock()
	w := in.running
	in.mu.Unlock()
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &handover{w: w, at: of(w)}
	if !w.fetching || w.isStopping() || len(h.at.waiting) >= h.at.most {
		return nil
	}
	w.handed.Add(1)
	return h
}

func messageSeats(w *worker) *seats { return w.messages }
func stepSeats(w *worker) *seats    { return w.jobs }

// begin does the work, once for all who bring the same before there is a seat. It is called when the transaction that stores the
// row has ended, however it did: where there is no row, there is nothing to do. A row that nobody could read now is found by the sweep.
func (h *handover) begin(what string, at int64, work func(ctx context.Context, w *worker, at int64) error) {
	if h == nil {
		return
	}
	w := h.w
	w.mu.Lock()
	named, waits := h.at.waiting[what]
	h.at.waiting[what] = max(named, at)
	w.mu.Unlock()
	if waits {
		w.handed.Done()
		return
	}
	go func() {
		defer w.handed.Done()
		err := w.seated(h.at, func() error {
			return work(context.WithoutCancel(w.ctx), w, w.served(h.at, what))
		})
		if err != nil {
			w.in.config.Logger.Warn("what was handed over could not be begun, and will be swept up", "what", what, "error", err)
		}
	}()
}

// served ends the wait of what has a seat now, and returns the time that was named for it.
func (w *worker) served(at *seats, what string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	named := at.waiting[what]
	delete(at.waiting, what)
	return named
}

// leave does no work.
func (h *handover) leave() {
	if h != nil {
		h.w.handed.Done()
	}
}

// wake begins to handle what a key has due. Who holds the key already looks again.
func (h *handover) wake(key string, at int64) {
	if h != nil && h.w.again(key, at) {
		h.leave()
		return
	}
	h.begin(key, at, func(ctx context.Context, w *worker, at int64) error { return w.wake(ctx, wakeArgs{Key: key, At: at}) })
}

// goOnLater gives the place of a key to the others that wait for one: this key goes on at the end of their queue.
func (w *worker) goOnLater(ctx context.Context, args wakeArgs) error {
	if h := w.in.handover(messageSeats); h != nil {
		h.wake(args.Key, args.At)
		return nil
	}
	_, err := w.client.Insert(ctx, args, nil)
	return err
}

// seated does work as soon as there is a seat, or not at all when the engine stops before: the next Run makes a trigger for it.
func (w *worker) seated(at *seats, work func() error) error {
	select {
	case at.places <- struct{}{}:
	case <-w.stopping:
		return nil
	}
	defer func() { <-at.places }()
	return work()
}

// beginFetching lets work be handed over. Before that, what was left behind has to be taken back.
func (w *worker) beginFetching() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetching = true
}

// handedDone waits until everything that was handed over has returned, and reports whether that came before ctx ended. The
// worker is stopping, so nothing is handed over any more.
func (w *worker) handedDone(ctx context.Context) bool {
	w.mu.Lock()
	w.fetching = false
	w.mu.Unlock()
	all := make(chan struct{})
	go func() {
		w.handed.Wait()
		close(all)
	}()
	select {
	case <-all:
		return true
	case <-ctx.Done():
		return false
	}
}

// isNow reports whether something with a time, in Unix milliseconds, is due.
func isNow(at int64) bool { return at <= time.Now().UnixMilli() }
