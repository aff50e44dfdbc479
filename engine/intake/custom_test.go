package intake

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestCustomSource posts to a custom format: what Map answers decides, and its alert keeps every bound of the package.
func TestCustomSource(t *testing.T) {
	var stored []incident.Alert
	h := NewHandler(Config{AllowAnonymous: true,
		Put: func(_ context.Context, a incident.Alert) error { stored = append(stored, a); return nil },
		Map: func(_ context.Context, name string, body []byte) ([]byte, error) {
			switch name {
			case "gone":
				return nil, &MapError{Unknown: true, Problem: "there is no intake gone"}
			case "strict":
				return nil, &MapError{Problem: "payload.x: is missing"}
			case "away":
				return nil, errors.New("the hub is away")
			}
			return body, nil
		}})
	post := func(h http.Handler, name, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/alerts/custom/"+name, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:9"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"gone", `{}`, 404, "no intake gone"}, {"strict", `{}`, 422, "payload.x"}, {"away", `{}`, 503, "send it again"},
		{"a", `{"x": 1, "x": 1}`, 400, "x"}, {"a", `{"name": "x\ny"}`, 422, "alert.name"}, {"a", `[]`, 422, "alert"},
		{"a", `{"name": "` + strings.Repeat("x", MaxCustom) + `"}`, 413, "larger"}, {"a/b", `{}`, 404, "nothing is here"},
	} {
		w := post(h, c.name, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || (w.Header().Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s %.40s: %d %s", c.name, c.body, w.Code, w.Body)
		}
	}
	if len(stored) > 0 {
		t.Fatalf("stored %v", stored)
	}
	for _, name := range []string{"a", "b"} {
		if w := post(h, name, `{"name": "x", "group": "g"}`); w.Code != http.StatusAccepted {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(stored) != 2 || stored[0].Source != "custom/a" || stored[0].Group == stored[1].Group {
		t.Errorf("stored %+v", stored)
	}
	if w := post(NewHandler(Config{AllowAnonymous: true}), "a", `{}`); w.Code != http.StatusNotFound {
		t.Errorf("without custom formats: %d", w.Code)
	}
}
