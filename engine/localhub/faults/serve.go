package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Wrap lets requests to h meet the rules. path gives the path that rules are matched with; write writes an answer in the
// hub's form.
func (t *Table) Wrap(h http.Handler, path func(*http.Request) string, write func(http.ResponseWriter, Answer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule, met := t.request(r.Method, path(r))
		if !met {
			h.ServeHTTP(w, r)
			return
		}
		switch rule.Fault {
		case Slow:
			if pause(r, rule.Delay()) {
				h.ServeHTTP(w, r)
			}
		case ReplyLost:
			h.ServeHTTP(&unheard{header: http.Header{}}, r)
			panic(http.ErrAbortHandler) // net/http cuts the connection
		case BadGateway, GatewayTimeout:
			h.ServeHTTP(&unheard{header: http.Header{}}, r)
			write(w, rule.answer())
		default:
			write(w, rule.answer())
		}
	})
}

// pause waits, and says whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// unheard takes an answer that nobody will get.
type unheard struct{ header http.Header }

func (u *unheard) Header() http.Header         { return u.header }
func (u *unheard) WriteHeader(int)             {}
func (u *unheard) Write(p []byte) (int, error) { return len(p), nil }

// maxRule bounds the body of a rule.
const maxRule = 64 << 10

// ServeHTTP is the table as an API: GET lists the rules, POST adds one, DELETE removes all. Who may ask is the caller's
// to decide.
func (t *Table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		reply(w, http.StatusOK, map[string]any{"faults": t.Rules()})
	case http.MethodDelete:
		t.Clear()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		var rule Rule
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRule))
		d.DisallowUnknownFields()
		err := d.Decode(&rule)
		if err != nil {
			err = fmt.Errorf("read a fault: %w", err)
		} else {
			rule, err = t.Add(rule)
		}
		if err != nil {
			reply(w, http.StatusUnprocessableEntity, map[string]string{"message": err.Error()})
			return
		}
		reply(w, http.StatusCreated, rule)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		reply(w, http.StatusMethodNotAllowed, map[string]string{"message": "Method Not Allowed"})
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "Server Error", http.StatusInternalServerError) // unreachable: rules are texts and numbers
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) //nolint:errcheck // the client is gone
}
