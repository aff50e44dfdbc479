package localhub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// proxied asks the hub for an address as a client does that has the hub as its proxy.
func (w *world) proxied(address string) (int, http.Header, string) {
	w.t.Helper()
	hub, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(hub)}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer alice-token")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// What gh asks of GitHub on its own machine is answered with addresses that gh can follow.
func TestHostsOfALocalGitHub(t *testing.T) {
	w := newWorld(t, "")
	_, header, body := w.proxied("http://api.github.localhost/repos/acme/ops/collaborators?per_page=1")
	next, _, _ := strings.Cut(header.Get("Link"), ";")
	if next != "<http://api.github.localhost/repos/acme/ops/collaborators?page=2&per_page=1>" {
		t.Errorf("next page: %s\n%s", header.Get("Link"), body)
	}
	for _, address := range []string{"http://api.github.localhost", "http://API.github.localhost/api/v3", "http://github.localhost/api/v3"} {
		var got struct {
			URL   string `json:"url"`
			HTML  string `json:"html_url"`
			Clone string `json:"clone_url"`
		}
		status, _, body := w.proxied(address + "/repos/acme/ops")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v\n%s", address, status, err, body)
		}
		want := got
		want.URL, want.HTML, want.Clone = "http://api.github.localhost/repos/acme/ops", "http://github.localhost/acme/ops", "http://github.localhost/acme/ops.git"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
	if status, _, body := w.proxied("http://github.localhost/"); status != http.StatusOK || !strings.Contains(body, "acme/open") {
		t.Errorf("pages: %d\n%s", status, body)
	}
}

func TestHubIsNoProxyToOtherHosts(t *testing.T) {
	w := newWorld(t, "")
	for _, address := range []string{"http://example.org/", "http://127.0.0.1:1/acme/ops", "http://api.github.localhost.example.org/"} {
		if status, _, body := w.proxied(address); status != http.StatusMisdirectedRequest || strings.Contains(body, "acme") {
			t.Errorf("%s: %d\n%s", address, status, body)
		}
	}
	if _, _, body := w.proxied("https://example.org/"); !strings.Contains(body, http.StatusText(http.StatusMisdirectedRequest)) {
		t.Errorf("a tunnel: %s", body)
	}
	if status, _, body := w.proxied(w.url + "/api/v3/zen"); status != http.StatusOK {
		t.Errorf("the hub through itself: %d\n%s", status, body)
	}
}
