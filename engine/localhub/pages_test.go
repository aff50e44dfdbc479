package localhub_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// browser is a person's session without script.
type browser struct {
	w *world
	c *http.Client
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar}}
}

func (b *browser) get(path string) (*http.Response, string) {
	b.w.t.Helper()
	resp, err := b.c.Get(b.w.url + path)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp, readAll(b.w.t, resp)
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var (
	hidden = regexp.MustCompile(`<input type="hidden" name="(csrf|commit)" value="([^"]*)">`)
	chosen = regexp.MustCompile(`<option value="([0-9a-f]{40})" selected>`)
)

// send fills in the form that stands on a page: its hidden fields, and the given ones.
func (b *browser) send(page, action string, fields map[string]string) (*http.Response, string) {
	b.w.t.Helper()
	_, body := b.get(page)
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	if m := chosen.FindStringSubmatch(body); m != nil {
		form.Set("commit", m[1])
	}
	for k, v := range fields {
		form.Set(k, v)
	}
	resp, err := b.c.PostForm(b.w.url+action, form)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp, readAll(b.w.t, resp)
}

func (b *browser) be(login string) {
	b.w.t.Helper()
	if resp, body := b.send("/", "/login", map[string]string{"login": login, "return": "/"}); resp.StatusCode != 200 || !strings.Contains(body, " selected>"+login) {
		b.w.t.Fatalf("become %s: %d\n%s", login, resp.StatusCode, body)
	}
}

func TestPersonReviewsAndMergesOnThePage(t *testing.T) {
	w := newWorld(t, "")
	sha := w.commit(w.clone(), "incident/1", "one.txt", "<script>alert(1)</script>\n")
	w.openPull("incident/1")
	const page = "/acme/ops/pull/1"
	b := w.browser()
	if resp, _ := b.get(page); resp.StatusCode != http.StatusNotFound {
		t.Fatalf("private, and nobody looks: %d", resp.StatusCode)
	}
	b.be("alice")
	resp, body := b.get(page)
	for _, want := range []string{"&lt;script&gt;alert(1)", "Required status check &#34;pullbook&#34; is expected.", "disabled", "Change one.txt", "<strong>pullbook[bot]</strong> wants to merge 1 commit"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") || strings.Contains(body, "mermaid") {
		t.Errorf("policy of a page without a graph: %s", csp)
	}
	if resp, body := b.send(page, page+"/review", map[string]string{"event": "APPROVE", "body": "line 1\r\nline 2"}); resp.StatusCode != 200 || !strings.Contains(body, "line 1<br>\nline 2") {
		t.Fatalf("review: %d\n%s", resp.StatusCode, body)
	}
	reviews, _, err := w.app().PullRequests.ListReviews(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(reviews) != 1 || reviews[0].GetState() != "APPROVED" || reviews[0].GetUser().GetLogin() != "alice" || reviews[0].GetCommitID() != sha || reviews[0].GetBody() != "line 1\nline 2" {
		t.Fatalf("review as REST has it: %v %v", reviews, err)
	}
	if resp, _ := b.send(page, page+"/merge", nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Fatalf("merge without the check: %d", resp.StatusCode)
	}
	w.check(sha, "pullbook", "success")
	if resp, body := b.send(page, page+"/merge", nil); resp.StatusCode != 200 || !strings.Contains(body, "<strong>Merged</strong> by alice") {
		t.Fatalf("merge: %d\n%s", resp.StatusCode, body)
	}
}

func TestFormsNeedTheirToken(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	const page = "/acme/ops/pull/1"
	b := w.browser()
	b.be("alice")
	other := w.browser()
	_, theirs := other.get("/")
	for name, token := range map[string]string{"none": "", "wrong": "x", "somebody else's": hidden.FindStringSubmatch(theirs)[2]} {
		if resp, _ := b.send(page, page+"/comment", map[string]string{"csrf": token, "body": "x"}); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp, _ := b.send(page, page+"/comment", map[string]string{"body": "fine"}); resp.StatusCode != http.StatusOK {
		t.Errorf("with its token: %d", resp.StatusCode)
	}
	if resp, _ := b.send(page, page+"/comment", map[string]string{"body": strings.Repeat("x", 2<<20)}); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge form: %d", resp.StatusCode)
	}
	if resp, _ := b.send(page, page+"/review", map[string]string{"event": "APPROVE", "commit": strings.Repeat("a", 40)}); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a review of a foreign commit: %d", resp.StatusCode)
	}
	b.be("bob")
	if resp, _ := b.send("/acme/open/pulls", "/login", map[string]string{"login": "alice", "return": "//evil.example/"}); resp.Request.URL.Host != strings.TrimPrefix(w.url, "http://") {
		t.Errorf("log-in led to %s", resp.Request.URL)
	}
}

// A name that only resolves to loopback is what a hostile page would use.
func TestLoginOnlyOnLoopback(t *testing.T) {
	w := newWorld(t, "")
	b := w.browser()
	b.be("carol")
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/acme/ops/pulls", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.c.Jar.Cookies(u) {
		req.AddCookie(c)
	}
	for host, want := range map[string]int{"rebound.example": 404, "localhost": 200, "hub.localhost:80": 200, "127.0.0.1.example": 404} {
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp); resp.StatusCode != want || (want == 404 && strings.Contains(body, "action=\"/login\"")) {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
	}
}

func TestMarkdownAndGraphs(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	text := "```mermaid\ngraph LR\n  a --> b\n```\n<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![pic](http://other.example/p.png) @alice\n\n- [x] done\n"
	if _, _, err := app.PullRequests.Edit(ctx, "acme", "ops", 1, &github.PullRequest{Body: &text}); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.be("alice")
	resp, body := b.get("/acme/ops/pull/1")
	for _, bad := range []string{"<img src=x", "onerror", "javascript:", `src="http`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, want := range []string{`<code class="language-mermaid">graph LR`, `src="/assets/mermaid.min.js"`, `<a href="http://other.example/p.png">pic</a>`, `type="checkbox"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(strings.Split(csp, "script-src")[1], "unsafe") {
		t.Errorf("policy: %s", csp)
	}
	resp, script := b.get("/assets/mermaid.min.js")
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") || len(script) < 1<<20 {
		t.Errorf("mermaid: %v, %d bytes", resp.Header, len(script))
	}
}

func TestLiveVersionChanges(t *testing.T) {
	w := newWorld(t, "")
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	b := w.browser()
	b.be("alice")
	_, before := b.get("/acme/ops/pull/1/live")
	run := w.check(sha, "x", "success")
	_, after := b.get("/acme/ops/pull/1/live")
	if before == after {
		t.Fatalf("the version stayed %s after a check", before)
	}
	for path, want := range map[string]string{
		"/": "acme/ops", "/acme/ops": "Incident", "/acme/ops/pulls?state=closed": "No pull request is closed.", "/acme/ops/commit/" + sha: "unsigned",
		"/acme/ops/blob/" + sha + "/one.txt": ">1</td>", "/acme/ops/blob/" + sha + "/runbooks": "a.cue", "/acme/ops/blob/" + sha + "/README.md": "<h1>Ops</h1>",
		strings.TrimPrefix(run.GetHTMLURL(), w.url): "check-", "/avatars/101": "<svg",
	} {
		if resp, body := b.get(path); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d lacks %q", path, resp.StatusCode, want)
		}
	}
	for _, path := range []string{"/acme/none/pulls", "/acme/ops/pull/x", "/acme/ops/blob/main/..%2f..%2fx", "/acme/ops/commit/--all", "/avatars/x", "//x/y", "/assets/..%2fdoc.go"} {
		if resp, _ := b.get(path); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
