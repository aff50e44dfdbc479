package sim

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// story is the record of one simulation as text. A nil story records nothing.
type story struct {
	text  bytes.Buffer
	start time.Time
}

// tell adds a line to the story.
func (w *World) tell(who, format string, args ...any) {
	if w.story == nil {
		return
	}
	fmt.Fprintf(&w.story.text, "%10.3f  %-7s %s\n", w.now.Sub(w.story.start).Seconds(), who, fmt.Sprintf(format, args...))
}

// teller lets the engine's log tell.
type teller struct {
	w   *World
	who string
	up  []slog.Attr
}

func (h teller) Enabled(context.Context, slog.Level) bool { return h.w.story != nil }
func (h teller) WithGroup(string) slog.Handler            { return h }

func (h teller) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.up = append(h.up[:len(h.up):len(h.up)], attrs...)
	return h
}

func (h teller) Handle(_ context.Context, r slog.Record) error {
	text := "log: " + r.Message
	add := func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.up {
		add(a)
	}
	r.Attrs(add)
	h.w.tell(h.who, "%s", text)
	return nil
}
