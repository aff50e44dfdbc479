package intake

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answers of an Alertmanager 0.25 with this configuration, cut to what is read.
const routesText = `route:
  receiver: other
  group_by: [alertname]
  routes:
  - receiver: pullbook
    group_by: [alertname, service]
    matchers: ['service=~"check.*"', 'severity!="low"']
    continue: true
    group_wait: 10ms
  - receiver: pullbook
    group_by: ['...']
    match: {service: checkout}
    group_wait: 1m30s
    mute_time_intervals: MUTED
  - receiver: nobody
`

const groupsText = `[{"alerts":[{"annotations":{"summary":"x"},"endsAt":"2026-11-22T21:15:52.749Z","fingerprint":"580f638bdd28a9d8","receivers":[{"name":"pullbook"}],
 "startsAt":"2026-11-22T20:00:00.123Z","status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},"generatorURL":"http://p/x",
 "labels":{"alertname":"A\"é","service":"checkout","severity":"critical"}}],"labels":{"alertname":"A\"é","service":"checkout"},"receiver":{"name":"pullbook"}},
{"alerts":[{"annotations":{"summary":"x"},"fingerprint":"580f638bdd28a9d8","startsAt":"2026-11-22T20:00:00.123Z","status":{"state":"active"},
 "labels":{"alertname":"A\"é","service":"checkout","severity":"critical"}}],"labels":{"alertname":"A\"é","service":"checkout","severity":"critical"},"receiver":{"name":"pullbook"}},
{"alerts":[{"annotations":{},"fingerprint":"1","startsAt":"2026-11-22T20:00:00Z","status":{"state":"active"},"labels":{"alertname":"B"}}],"labels":{"alertname":"B"},"receiver":{"name":"nobody"}}]`

// asked is an Alertmanager with these routes and groups.
func asked(t *testing.T, routes, groups string) Asked {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /am/api/v2/status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"config": map[string]string{"original": routes}})
	})
	mux.HandleFunc("GET /am/api/v2/alerts/groups", func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("silenced") != "false" || q.Get("inhibited") != "false" {
			t.Errorf("asked for what is silenced: %s", r.URL)
		}
		_, _ = w.Write([]byte(groups))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a, err := ParseAsked(server.URL+"/am", "pullbook")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestFiring: what fires is what the notifications of the same Alertmanager said of it, under the same keys.
func TestFiring(t *testing.T) {
	a := asked(t, strings.ReplaceAll(routesText, "MUTED", "[]"), groupsText)
	got, err := a.Firing(t.Context(), time.Date(2026, 11, 22, 20, 5, 0, 0, time.UTC))
	if err != nil || len(got.Alerts) != 2 || len(got.Left) != 0 {
		t.Fatalf("fires %+v: %v; want two groups", got, err)
	}
	const posted = `{"receiver":"pullbook","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A\"é","service":"checkout","severity":"critical"},
		"annotations":{"summary":"x"},"startsAt":"2026-11-22T20:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/x","fingerprint":"580f638bdd28a9d8"}],
		"commonLabels":{"alertname":"A\"é","service":"checkout","severity":"critical"},"commonAnnotations":{"summary":"x"},"externalURL":"http://vm:39872","version":"4",
		"groupKey":"{}/{service=~\"check.*\",severity!=\"low\"}:{alertname=\"A\\\"é\", service=\"checkout\"}","truncatedAlerts":0}`
	want, err := Parse(Alertmanager, []byte(posted))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Alerts[:1]); diff != "" {
		t.Errorf("the first group (-posted +asked):\n%s", diff)
	}
	if key := digest(Alertmanager, "pullbook", `{}/{service="checkout"}:{alertname="A\"é", service="checkout", severity="critical"}`); got.Alerts[1].Group != key {
		t.Errorf("the second group has the key %s, want %s", got.Alerts[1].Group, key)
	}
}

func TestFiringLeavesOut(t *testing.T) {
	a := asked(t, strings.ReplaceAll(routesText, "MUTED", "[nights]"), groupsText)
	got, err := a.Firing(t.Context(), time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)) // before group_wait is over
	if err != nil || len(got.Alerts) != 0 || len(got.Left) != 1 || !strings.Contains(got.Left[0], "muted at some times") {
		t.Errorf("fires %+v: %v; want nothing, and that one route is muted at times", got, err)
	}
	for name, spoilt := range map[string]Asked{
		"no route": asked(t, "receivers: []", groupsText), "no YAML": asked(t, "{", groupsText), "no JSON": asked(t, routesText, "{"),
		"another receiver": {URL: a.URL, Receiver: "pager"}, "nowhere": {URL: &url.URL{Scheme: "http", Host: a.URL.Host, Path: "/none"}, Receiver: "pullbook"},
		"bad regexp": asked(t, "route: {receiver: pullbook, match_re: {a: '('}}", groupsText), "bad matcher": asked(t, "route: {receiver: pullbook, matchers: ['a b']}", groupsText),
		"bad wait": asked(t, "route: {receiver: pullbook, group_wait: soon}", groupsText),
	} {
		if got, err := spoilt.Firing(t.Context(), time.Now()); err == nil {
			t.Errorf("%s: fires %+v", name, got)
		}
	}
	for _, address := range []string{"", "alertmanager:9093", "ftp://am", "http://", "http://am/?x=1"} {
		if _, err := ParseAsked(address, "pullbook"); err == nil {
			t.Errorf("%q was taken as an address", address)
		}
	}
}

func TestParseMatchers(t *testing.T) {
	for text, want := range map[string]string{
		`a=b`: `{a="b"}`, ` a != b `: `{a!="b"}`, `{b=~"x,y|z", a="1"}`: `{a="1",b=~"x,y|z"}`, `a="q\"\\\n"`: `{a="q\"\\\n"}`, `a=""`: `{a=""}`, `a!~"}"`: `{a!~"}"}`,
	} {
		r := amRoute{Receiver: "r", Wait: "1d", Matchers: []string{text}}
		if err := r.complete(nil); err != nil || r.key != want {
			t.Errorf("%s: the key is %s: %v; want %s", text, r.key, err, want)
		}
	}
}
