package localhub_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

func TestFormIsCarriedOutOnce(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	const page = "/acme/ops/pull/1"
	b := w.browser()
	b.be("alice")
	_, body := b.get(page)
	form := url.Values{"csrf": {hidden.FindStringSubmatch(body[strings.Index(body, page+"/comment"):])[2]}}
	post := func(text string) int {
		t.Helper()
		form.Set("body", text)
		resp, err := b.c.PostForm(w.url+page+"/comment", form)
		if err != nil {
			t.Fatal(err)
		}
		return readAllStatus(t, resp)
	}
	if got := post(""); got != http.StatusUnprocessableEntity {
		t.Errorf("an empty comment: %d", got)
	}
	if got := post("said"); got != http.StatusOK {
		t.Errorf("mended after a refusal: %d", got)
	}
	if got := post("said"); got != http.StatusConflict {
		t.Errorf("sent again: %d", got)
	}
	comments, _, err := w.app().Issues.ListComments(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(comments) != 1 {
		t.Errorf("%d comments, %v", len(comments), err)
	}
}

func readAllStatus(t *testing.T, resp *http.Response) int {
	t.Helper()
	readAll(t, resp)
	return resp.StatusCode
}

func TestReviewOfAChosenCommit(t *testing.T) {
	w := newWorld(t, "")
	dir := w.clone()
	first := w.commit(dir, "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	head := w.commit(dir, "incident/1", "one.txt", "2\n")
	const page = "/acme/ops/pull/1"
	b := w.browser()
	b.be("alice")
	if _, body := b.get(page + "?at=" + first); chosen.FindStringSubmatch(body)[1] != first {
		t.Error("the form does not begin with the commit of the address")
	}
	if _, body := b.get(page); chosen.FindStringSubmatch(body)[1] != head {
		t.Error("the form does not begin with the head")
	}
	if resp, body := b.send(page, page+"/review", map[string]string{"event": "COMMENT", "body": "why?", "commit": first}); resp.StatusCode != 200 || !strings.Contains(body, "an earlier commit") {
		t.Errorf("review: %d", resp.StatusCode)
	}
	reviews, _, err := w.app().PullRequests.ListReviews(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(reviews) != 1 || reviews[0].GetCommitID() != first || reviews[0].GetState() != "COMMENTED" {
		t.Errorf("%v %v", reviews, err)
	}
}

func TestStatusLineTellsWhatIsWaitedFor(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	b := w.browser()
	b.be("alice")
	for _, c := range []struct{ status, conclusion, want string }{
		{"in_progress", "", "is at work: 1 of 2"}, {"completed", "action_required", "waits for somebody: 1 of 2"}, {"completed", "success", ""},
	} {
		title := "1 of 2"
		in := github.CreateCheckRunOptions{Name: "pullbook", HeadSHA: sha, Status: &c.status, Output: &github.CheckRunOutput{Title: &title, Summary: &title}}
		if c.conclusion != "" {
			in.Conclusion = &c.conclusion
		}
		if _, _, err := app.Checks.CreateCheckRun(ctx, "acme", "ops", in); err != nil {
			t.Fatal(err)
		}
		_, body := b.get("/acme/ops/pull/1")
		if shown := strings.Contains(body, `class="now `); shown != (c.want != "") || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: shown %v, want %q", c.status, c.conclusion, shown, c.want)
		}
	}
}

func TestListIsFilteredByItsAddress(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	for i, title := range []string{"Checkout is down", "Disk is full", "Disk <fast>"} {
		w.commit(dir, fmt.Sprintf("incident/%d", i), fmt.Sprintf("%d.txt", i), "1\n")
		by := app
		if i == 2 {
			by = w.user("alice")
		}
		if _, _, err := by.PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: &title, Head: github.String(fmt.Sprintf("incident/%d", i)), Base: github.String("main")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := app.Issues.AddLabelsToIssue(ctx, "acme", "ops", 2, []string{"sev 1&2"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := app.PullRequests.Edit(ctx, "acme", "ops", 1, &github.PullRequest{State: github.String("closed")}); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.be("alice")
	row := regexp.MustCompile(`<a class="title" href="/acme/ops/pull/(\d)">`)
	for query, want := range map[string]string{
		"": "32", "?state=closed": "1", "?state=merged": "", "?state=all": "321", "?state=x&page=x": "32", "?q=DISK": "32", "?author=ALICE": "3",
		"?author=pullbook%5Bbot%5D&state=all": "21", "?label=sev+1%262": "2", "?q=nothing": "", "?page=9": "", "?q=%3Cfast": "3",
	} {
		_, body := b.get("/acme/ops/pulls" + query)
		got := ""
		for _, m := range row.FindAllStringSubmatch(body, -1) {
			got += m[1]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	_, body := b.get("/acme/ops/pulls?q=%22%3E%3Cscript%3E&label=sev+1%262")
	if strings.Contains(body, `"><script>`) || !strings.Contains(html.UnescapeString(body), "?label=sev+1%262&q=%22%3E%3Cscript%3E&state=closed") {
		t.Error("the tabs do not keep the filter, or it is not escaped")
	}
}

func TestDeliveriesAreForThoseWhoManageTheApp(t *testing.T) {
	var received atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		received.Add(1)
		http.Error(rw, "cannot <take> it", http.StatusBadGateway)
	}))
	defer receiver.Close()
	w := newWorld(t, receiver.URL)
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	const list = "/apps/pullbook/deliveries"
	b := w.browser()
	for _, login := range []string{"", "alice"} {
		if login != "" {
			b.be(login)
		}
		if resp, _ := b.get(list); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %d", login, resp.StatusCode)
		}
	}
	b.be("carol")
	var link []string
	eventually(t, "a delivery is listed", func() bool {
		_, body := b.get(list)
		link = regexp.MustCompile(`href="(` + list + `/\d+)">push</a>`).FindStringSubmatch(body)
		return link != nil && strings.Contains(body, "502 Bad Gateway")
	})
	resp, body := b.get(link[1])
	for _, want := range []string{"cannot &lt;take&gt; it", "X-Hub-Signature-256", "&#34;ref&#34;: &#34;refs/heads/incident/1&#34;", "acme/ops"} {
		if resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d lacks %q", link[1], resp.StatusCode, want)
		}
	}
	before := received.Load()
	if resp, _ := b.send(link[1], link[1]+"/redeliver", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("send again: %d", resp.StatusCode)
	}
	eventually(t, "it is sent again", func() bool {
		_, body := b.get(list)
		return received.Load() > before && strings.Contains(body, "sent again")
	})
	if resp, _ := b.get(list + "/999999"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("no such delivery: %d", resp.StatusCode)
	}
}

func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !good(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

func TestFilesAtARef(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "a #1.txt", "x\n")
	w.openPull("incident/1")
	b := w.browser()
	b.be("alice")
	for path, want := range map[string]string{
		"/acme/ops/tree/main": ">README.md</code>", "/acme/ops/tree/incident/1": "/acme/ops/blob/incident/1/a%20%231.txt", "/acme/ops/blob/incident/1/a%20%231.txt": `id="L1"`,
		"/acme/ops/blob/main/runbooks/a.cue": `<a href="/acme/ops/tree/main/runbooks">runbooks</a>`, "/acme/ops/pull/1/files": "a #1.txt",
	} {
		if resp, body := b.get(path); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d lacks %q", path, resp.StatusCode, want)
		}
	}
	for _, path := range []string{"/acme/ops/tree/", "/acme/ops/tree/incident", "/acme/ops/blob/main/none", "/acme/ops/blob/main/../main", "/acme/ops/pull/1/other"} {
		if resp, _ := b.get(path); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

func TestButtonsOfACheckRunTellItsApp(t *testing.T) {
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Action          string
			RequestedAction struct{ Identifier string } `json:"requested_action"`
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err == nil && r.Header.Get("X-GitHub-Event") == "check_run" {
			told <- e.Action + " " + e.RequestedAction.Identifier
		}
	}))
	defer receiver.Close()
	w := newWorld(t, receiver.URL)
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	run, _, err := w.app().Checks.CreateCheckRun(t.Context(), "acme", "ops", github.CreateCheckRunOptions{
		Name: "pullbook", HeadSHA: sha, Status: github.String("completed"), Conclusion: github.String("action_required"),
		Actions: []*github.CheckRunAction{{Label: "Retry <it>", Description: "Try the step again", Identifier: "retry"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const page = "/acme/ops/pull/1"
	press := fmt.Sprintf("/acme/ops/runs/%d/press", run.GetID())
	b := w.browser()
	b.be("mallory")
	if resp, _ := b.send("/", press, map[string]string{"button": "retry"}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("somebody who sees nothing: %d", resp.StatusCode)
	}
	b.be("alice")
	if _, body := b.get(page); !strings.Contains(body, `value="retry" title="Try the step again">Retry &lt;it&gt;</button>`) {
		t.Error("the page lacks the button")
	}
	for button, want := range map[string]int{"retry": 200, "": 200, "other": 422} {
		asked := fmt.Sprintf("%s?asked=check-%d", page, run.GetID())
		resp, body := b.send(page, press, map[string]string{"button": button, "return": asked})
		if resp.StatusCode != want || strings.Contains(body, "has been asked") != (want == 200) {
			t.Errorf("%q: %d %s", button, resp.StatusCode, body)
		}
	}
	seen := map[string]bool{}
	for !seen["requested_action retry"] || !seen["rerequested "] {
		select {
		case e := <-told:
			seen[e] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("the App was told %v", seen)
		}
	}
}

func TestRemarkOnALineIsInTheConversation(t *testing.T) {
	w := newWorld(t, "")
	sha := w.commit(w.clone(), "incident/1", "one.txt", "first\nsecond\n")
	w.openPull("incident/1")
	in := &github.PullRequestComment{Body: github.String("why *this*?"), CommitID: &sha, Path: github.String("one.txt"), Line: github.Int(2), Side: github.String("RIGHT")}
	x, _, err := w.user("alice").PullRequests.CreateComment(t.Context(), "acme", "ops", 1, in)
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.be("alice")
	_, body := b.get("/acme/ops/pull/1")
	_, entry, _ := strings.Cut(body, fmt.Sprintf(`id="discussion_r%d"`, x.GetID()))
	entry, _, _ = strings.Cut(entry, "</article>")
	for _, want := range []string{"one.txt:2", "second</td>", "<p>why <em>this</em>?</p>"} {
		if !strings.Contains(entry, want) {
			t.Errorf("the entry lacks %q: %s", want, entry)
		}
	}
}
