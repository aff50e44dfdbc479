package github

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRedeliver reads two pages of what was sent, and asks again for what nobody took: once for each event, the oldest first, and
// neither for what was taken at another time, nor for what failed too often, is another installation's, or came before.
func TestRedeliver(t *testing.T) {
	s := newStage(t)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	item := func(id int, guid string, status, installation, minutes int) string {
		return fmt.Sprintf(`{"id": %d, "guid": %q, "status_code": %d, "installation_id": %d, "delivered_at": %q}`,
			id, guid, status, installation, at.Add(-time.Duration(minutes)*time.Minute).Format(time.RFC3339))
	}
	pages := map[string][]string{
		"": {item(20, "late", 0, 99, 1), item(19, "taken", 202, 99, 2), item(18, "other", 500, 98, 3), item(17, "twice", 500, 99, 4)},
		"17": {item(16, "often", 500, 99, 5), item(15, "often", 500, 99, 5), item(14, "often", 500, 99, 5), item(13, "twice", 503, 99, 6),
			item(12, "taken", 503, 99, 7), item(11, "gone", 503, 99, 8), item(10, "before", 500, 99, 61), item(9, "long before", 500, 99, 62)},
	}
	s.on("GET /app/hook/deliveries", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			w.Header().Set("Link", `<`+s.url+`/app/hook/deliveries?per_page=100&cursor=17>; rel="next"`)
		}
		fmt.Fprintf(w, "[%s]", strings.Join(pages[r.URL.Query().Get("cursor")], ", "))
	})
	for _, id := range []int{20, 13} {
		s.say(fmt.Sprintf("POST /app/hook/deliveries/%d/attempts", id), 202, `{}`)
	}
	s.say("POST /app/hook/deliveries/11/attempts", 404, `{"message": "Not Found"}`)
	c := s.client()
	asked, err := c.Redeliver(t.Context(), at.Add(-time.Hour))
	if err != nil || asked != 2 {
		t.Errorf("%d were asked for, %v", asked, err)
	}
	var got []string
	for _, r := range s.asked {
		if strings.Contains(r.line, "/app/hook/") {
			got = append(got, r.line)
		}
	}
	want := []string{"GET /app/hook/deliveries", "GET /app/hook/deliveries", "POST /app/hook/deliveries/11/attempts",
		"POST /app/hook/deliveries/13/attempts", "POST /app/hook/deliveries/20/attempts"}
	if !slices.Equal(got, want) {
		t.Errorf("asked\n%s", strings.Join(got, "\n"))
	}
}

// TestRedeliverWithoutAWebhook is for Apps that have none.
func TestRedeliverWithoutAWebhook(t *testing.T) {
	s := newStage(t)
	s.say("GET /app/hook/deliveries", 404, `{"message": "Not Found"}`)
	if asked, err := s.client().Redeliver(t.Context(), time.Now()); asked != 0 || err != nil {
		t.Error(asked, err)
	}
}
