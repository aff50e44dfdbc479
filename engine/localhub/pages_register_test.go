package localhub_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// An App comes from a manifest that another site posts, and is installed by a person, all as on GitHub.
func TestAppFromAManifest(t *testing.T) {
	w := newWorld(t, "")
	const manifest = `{"name":"Night Watch","url":"http://watch.example","hook_attributes":{"url":"http://127.0.0.1:1/hook"},
		"redirect_url":"http://127.0.0.1:1/done?a=b","default_permissions":{"issues":"write"},"default_events":["issues"],"public":true}`
	b := w.browser()
	b.c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != strings.TrimPrefix(w.url, "http://") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	offer := func(path string) (*http.Response, string) {
		resp, err := b.c.PostForm(w.url+path, url.Values{"manifest": {manifest}})
		if err != nil {
			t.Fatal(err)
		}
		return resp, readAll(t, resp)
	}
	if resp, body := offer("/settings/apps/new?state=xyz"); resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("nobody: %d\n%s", resp.StatusCode, body)
	}
	b.be("bob")
	if resp, body := offer("/organizations/acme/settings/apps/new"); resp.StatusCode != http.StatusNotFound {
		t.Fatalf("for somebody else's organisation: %d\n%s", resp.StatusCode, body)
	}
	b.be("carol")
	resp, body := offer("/organizations/acme/settings/apps/new?state=xyz")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "issues: write") || !strings.Contains(body, `name="csrf"`) ||
		!strings.Contains(resp.Header.Get("Content-Security-Policy"), "form-action 'self' http://127.0.0.1:1;") {
		t.Fatalf("the page that asks: %d %v\n%s", resp.StatusCode, resp.Header, body)
	}
	page := resp.Request.URL.RequestURI()
	if resp, _ := b.send("/", "/settings/apps", map[string]string{"csrf": "", "owner": "acme", "name": "x", "manifest": manifest}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d", resp.StatusCode)
	}
	resp, body = b.send(page, "/settings/apps", map[string]string{"owner": "acme", "name": "Night Watch", "manifest": manifest, "state": "xyz"})
	to, err := resp.Location()
	if err != nil || to.Query().Get("state") != "xyz" || to.Query().Get("a") != "b" || to.Query().Get("code") == "" {
		t.Fatalf("the way back: %v %v\n%s", to, err, body)
	}
	app, _, err := w.user("").Apps.CompleteAppManifest(t.Context(), to.Query().Get("code"))
	if err != nil || app.GetSlug() != "night-watch" || app.GetPEM() == "" || app.GetWebhookSecret() == "" || app.GetOwner().GetLogin() != "acme" {
		t.Fatalf("the App: %v %v", app, err)
	}
	if resp, body := b.send("/apps/night-watch/installations/new", "/apps/night-watch/installations",
		map[string]string{"account": "acme", "repository": "acme/ops"}); resp.StatusCode != http.StatusOK {
		t.Fatalf("install it: %d\n%s", resp.StatusCode, body)
	}
	list, _, err := w.user("carol").Organizations.ListInstallations(t.Context(), "acme", &github.ListOptions{})
	if err != nil || !strings.Contains(github.Stringify(list.Installations), `AppSlug:"night-watch"`) {
		t.Errorf("installations: %v %v", github.Stringify(list), err)
	}
	for _, bad := range []string{``, `[]`, `{"redirect_url":"javascript:alert(1)"}`, `{"redirect_url":"http://a;script-src *"}`, `{"redirect_url":"/x"}`} {
		if resp, _ := b.get("/settings/apps/new?manifest=" + url.QueryEscape(bad)); resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", bad, resp.StatusCode)
		}
	}
	b.be("bob")
	if resp, _ := b.send("/apps/night-watch/installations/new", "/apps/night-watch/installations", map[string]string{"account": "acme"}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("installed on somebody else's account: %d", resp.StatusCode)
	}
}
