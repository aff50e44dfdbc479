package inbox

import (
	"context"
	"time"
)

// seats bound how many handlers of one sort work at once, whoever brought them their work: a trigger, or a handover.
type seats chan struct{}

// handover is work that is due now, with a seat for it: it begins as soon as its row is stored, without a trigger. nil is none, and
// then a trigger brings the work.
type handover struct {
	w  *worker
	at seats
}

// handover takes a seat at the Run in progress for something that is due now. Nobody who waits for a seat is overtaken: while
// somebody does, there is none free.
func (in *Inbox) handover(of func(*worker) seats) *handover {
	in.mu.Lock()
	w := in.running
	in.mu.Unlock()
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.fetching || w.isStopping() {
		return nil
	}
	h := &handover{w: w, at: of(w)}
	select {
	case h.at <- struct{}{}:
		w.handed.Add(1)
		return h
	default:
		return nil
	}
}

func messageSeats(w *worker) seats { return w.messages }
func stepSeats(w *worker) seats    { return w.jobs }

// begin does the work. It is called when the transaction that stores the row has ended, however it did: where there is no row,
// there is nothing to do. A row that nobody could read now is found by the sweep.
func (h *handover) begin(what string, work func(context.Context, *worker) error) {
	if h == nil {
		return
	}
	go func() {
		defer h.w.handed.Done()
		defer func() { <-h.at }()
		if err := work(context.WithoutCancel(h.w.ctx), h.w); err != nil {
			h.w.in.config.Logger.Warn("what was handed over could not be begun, and will be swept up", "what", what, "error", err)
		}
	}()
}

// leave gives the seat back without any work.
func (h *handover) leave() {
	if h == nil {
		return
	}
	<-h.at
	h.w.handed.Done()
}

// wake begins to handle what a key has due.
func (h *handover) wake(key string, at int64) {
	h.begin(key, func(ctx context.Context, w *worker) error { return w.wake(ctx, wakeArgs{Key: key, At: at}) })
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

// seated does what a trigger brought as soon as there is a seat, or not at all when the engine stops before: the next Run makes
// the trigger anew.
func (w *worker) seated(at seats, work func() error) error {
	select {
	case at <- struct{}{}:
	case <-w.stopping:
		return nil
	}
	defer func() { <-at }()
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
