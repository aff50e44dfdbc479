package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// look is a way to see a page.
type look struct {
	name          string
	width, height int64
	dark          bool
}

func looks() []look {
	return []look{{"light", 1280, 900, false}, {"dark", 1280, 900, true}, {"phone", 390, 844, false}, {"phone-dark", 390, 844, true}}
}

// TestEveryPageInEveryLook visits every page in light and dark, wide and narrow, and demands what holds on all of them. The
// pictures go to the directory PULLBOOK_SCREENSHOTS, for people to look at; without it none are kept.
func TestEveryPageInEveryLook(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	pages := g.furnish()
	dir := os.Getenv("PULLBOOK_SCREENSHOTS")
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := newBrowser(t, g.url)
	b.be("carol")
	for _, l := range looks() {
		b.wear(l)
		for name, path := range pages {
			if name == "error" {
				b.mu.Lock()
				b.absent = b.base + path
				b.mu.Unlock()
			}
			b.open(path)
			b.awaits("the graphs are drawn", "document.readyState === 'complete' && !document.querySelector('code.language-mermaid')")
			b.holds(name+" "+l.name, l)
			if dir != "" {
				b.picture(filepath.Join(dir, name+"-"+l.name), l)
			}
		}
	}
}

// furnish makes something to see, and returns the pages by name.
func (g *gallery) furnish() map[string]string {
	g.t.Helper()
	var calls atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%5 == 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, `{"accepted": true}`)
	}))
	g.t.Cleanup(receiver.Close)
	g.aimHook(receiver.URL)
	g.small()
	head := g.large()
	g.await("a delivery", func() bool { return g.delivery() != 0 })
	tree := "/acme/ops/tree/incident/large"
	return map[string]string{
		"repositories": "/", "list": "/acme/ops/pulls", "list-filtered": "/acme/ops/pulls?state=all&q=disk&author=pullbook%5Bbot%5D",
		"list-empty": "/acme/ops/pulls?state=closed", "pull-2": "/acme/ops/pull/1", "pull-300": "/acme/ops/pull/2",
		"commit": "/acme/ops/commit/" + head, "directory": tree, "file": "/acme/ops/blob/main/runbooks/checkout.cue",
		"file-markdown": "/acme/ops/blob/incident/large/report.md", "deliveries": "/apps/pullbook/deliveries",
		"delivery": fmt.Sprintf("/apps/pullbook/deliveries/%d", g.delivery()), "error": "/acme/none/pulls",
		"install": "/apps/pullbook/installations/new", "register": "/organizations/acme/settings/apps/new?manifest=" + url.QueryEscape(
			`{"name":"Night Watch","redirect_url":"http://127.0.0.1:9/done","default_permissions":{"issues":"write"},"default_events":["issues"]}`),
	}
}

func (g *gallery) await(what string, good func() bool) { waitFor(g.t, what, good) }

// plan has n steps in layers of ten; every fifth has a gate, and the first half is over.
func plan(n int) (runbook.Plan, []incident.Event) {
	p := runbook.Plan{Name: "disk", Title: "The disk of web-1 is full", Severity: "sev1", Command: []string{"acme/sre"}}
	begin := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	digest := runbook.PageDigest([]byte("x"))
	opened := incident.Opened{ID: "20261122-k3jq5zabcd", Group: "disk", Runbook: "runbooks/disk.cue", Why: "its match fits the alert",
		Commit: strings.Repeat("c0ffee12", 5), Plan: digest,
		Alert: incident.Alert{Name: "DiskFull", Source: "alertmanager", Status: incident.Firing, StartsAt: begin,
			Labels: map[string]string{"instance": "web-1:9100", "severity": "page"}}}
	events := []incident.Event{{Seq: 1, At: begin, Data: opened}}
	add := func(d incident.Data) {
		events = append(events, incident.Event{Seq: len(events) + 1, At: begin.Add(time.Duration(len(events)) * time.Second), Data: d})
	}
	for i := range n {
		s := runbook.Step{Name: fmt.Sprintf("step_%03d", i+1), Title: fmt.Sprintf("Move the data of part %d to the new disk", i+1), Kind: runbook.KindExec,
			Risk: runbook.RiskRead, Timeout: time.Minute, OnFailure: runbook.FailureHalts, Now: runbook.Resolution{Status: runbook.StatusReady}}
		if i >= 10 {
			s.Needs = []string{fmt.Sprintf("step_%03d", i-9)}
		} else if i == 1 {
			s.Needs = []string{"step_001"}
		}
		if i == n/2 {
			s.Risk, s.Approval = runbook.RiskChange, &runbook.Approval{From: []string{"acme/sre"}, Count: 2}
		}
		p.Steps = append(p.Steps, s)
		if i < n/2 {
			add(incident.StepEnded{Step: s.Name, Attempt: 1, Conclusion: runbook.Succeeded, Started: begin, Ended: begin.Add(1200 * time.Millisecond),
				Evidence: digest, Output: []byte(`{"ok":true}`)})
		}
	}
	for i := n/2 + 1; i < min(n, n/2+3); i++ {
		add(incident.StepStarted{Step: p.Steps[i].Name, Attempt: 1, Work: runbook.KindExec, Risk: runbook.RiskRead})
	}
	add(incident.GateOpened{Step: p.Steps[n/2].Name, Round: 1, Page: digest, Rule: *p.Steps[n/2].Approval, Digest: digest})
	return p, events
}

// story publishes a plan's body and the checks of its first half, on commits of their own up to most.
func (g *gallery) story(branch string, n, most int) (head string) {
	g.t.Helper()
	p, events := plan(n)
	s, err := incident.Fold(events)
	if err != nil {
		g.t.Fatal(err)
	}
	g.git(g.dir, "switch", "-q", "-c", branch, "origin/main")
	commits := []string{}
	for i := range min(n, most) {
		text := fmt.Sprintf("step: %s\nresult: succeeded\nlog: |\n  %s\n", p.Steps[i].Name, strings.Repeat("moved a part of the data; ", 6))
		commits = append(commits, g.commit(fmt.Sprintf("incidents/evidence/%s.txt", p.Steps[i].Name), text, p.Steps[i].Name+": succeeded\n\nAttempt: 1\nBranch: "+branch))
	}
	head = g.commit("report.md", "# Report\n\n| step | took |\n|---|--:|\n| one | 1.2s |\n\n- [x] done\n\n```mermaid\nflowchart LR\n  a --> b\n```\n", "Write the report")
	view := incident.View{Branch: incident.Branch{Head: head, Commits: map[string]int{head: len(events)}},
		Reviews: []approval.Review{{ID: 9000, By: approval.Person{ID: 103, Login: "carol"}, State: approval.Approved, Commit: head}}}
	screen := render.Screen(p, s, view)
	number := g.pull(branch, fmt.Sprintf("[sev1] The disk of web-1 is full (%d steps)", n), screen.Body)
	labels := append(screen.Labels, "incident")
	if _, _, err := g.app.Issues.Edit(g.t.Context(), demoOwner, demoName, number, &github.IssueRequest{Labels: &labels, Assignees: &[]string{"bob"}}); err != nil {
		g.t.Fatal(err)
	}
	for i := range n / 2 {
		c := render.Check(p, s, p.Steps[i].Name, "moved\ndone\n")
		g.report(commits[i%len(commits)], c)
	}
	g.check(head, incident.RollupName, "action_required", "waits for an approval of "+p.Steps[n/2].Name)
	return head
}

func (g *gallery) report(sha string, c render.CheckText) {
	g.t.Helper()
	in := github.CreateCheckRunOptions{Name: c.Name, HeadSHA: sha, Status: github.String("completed"), Conclusion: &c.Conclusion,
		Output: &github.CheckRunOutput{Title: &c.Title, Summary: &c.Summary, Text: &c.Text}}
	if _, _, err := g.app.Checks.CreateCheckRun(g.t.Context(), demoOwner, demoName, in); err != nil {
		g.t.Fatal(err)
	}
}

// small is a pull request of two steps with a conversation.
func (g *gallery) small() {
	g.t.Helper()
	ctx := g.t.Context()
	head := g.story("incident/small", 2, 2)
	if err := g.world.comment(ctx, "bob", 1, "I am looking at it.\n\n> 95% full\n\n```sh\ndf -h /var\n```\n\n<details>\n<summary>What `df` says</summary>\n\n| disk | used |\n|---|--:|\n| sda | 95% |\n\n</details>"); err != nil {
		g.t.Fatal(err)
	}
	c, err := g.client("alice")
	if err != nil {
		g.t.Fatal(err)
	}
	for event, words := range map[string]string{"APPROVE": "/approve step_002", "REQUEST_CHANGES": "Not before the backup is done."} {
		if event == "REQUEST_CHANGES" {
			if c, err = g.client("bob"); err != nil {
				g.t.Fatal(err)
			}
		}
		if _, _, err := c.PullRequests.CreateReview(ctx, demoOwner, demoName, 1, &github.PullRequestReviewRequest{Event: &event, Body: &words, CommitID: &head}); err != nil {
			g.t.Fatal(err)
		}
	}
}

// large is a pull request of 300 steps.
func (g *gallery) large() (head string) {
	g.t.Helper()
	head = g.story("incident/large", 300, 60)
	g.check(head, "lint", "failure", "2 problems")
	g.check(head, "build", "", "building")
	return head
}

// aimHook moves the App's hook.
func (g *gallery) aimHook(url string) {
	g.t.Helper()
	if _, _, err := g.asApp().Apps.UpdateHookConfig(g.t.Context(), &github.HookConfig{URL: &url}); err != nil {
		g.t.Fatal(err)
	}
}

// delivery is the newest delivery, or 0.
func (g *gallery) delivery() int64 {
	g.t.Helper()
	list, _, err := g.asApp().Apps.ListHookDeliveries(g.t.Context(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if len(list) == 0 {
		return 0
	}
	return list[0].GetID()
}

// wear makes the browser look at pages in one way.
func (b *browser) wear(l look) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.do("set the size", chromedp.EmulateViewport(l.width, l.height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatalf("choose %s: %v", scheme, err)
	}
}

// holds demands what is true of every page: nothing is wider than the window, one heading is the first, every field has a
// name, every picture a text, and nothing has an id twice.
func (b *browser) holds(what string, l look) {
	b.t.Helper()
	for rule, script := range map[string]string{
		"nothing is wider than the window": fmt.Sprintf("document.documentElement.scrollWidth <= %d ? '' : document.documentElement.scrollWidth + ' ' + [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .graph, pre, table')).slice(0, 3).map((e) => e.outerHTML.slice(0, 150)).join(' ')", l.width),
		"there is one heading of the page": "document.querySelectorAll('main > h1, main > section > h1').length === 1 ? '' : 'not one'",
		"every field has a name":           "[...document.querySelectorAll('input:not([type=hidden]):not(:disabled), select, textarea')].filter((f) => !f.labels.length && !f.ariaLabel).map((f) => f.outerHTML).join(' ')",
		"every picture has a text":         "[...document.querySelectorAll('img:not([alt])')].map((i) => i.outerHTML).join(' ')",
		"no id stands twice":               "(() => { const ids = [...document.querySelectorAll('main [id]')].filter((e) => !e.closest('svg')).map((e) => e.id); return ids.filter((x, i) => ids.indexOf(x) !== i).join(' ') })()",
		"every button and link has a text": "[...document.querySelectorAll('a, button')].filter((e) => !(e.innerText || e.textContent).trim() && !e.ariaLabel).map((e) => e.outerHTML).join(' ')",
	} {
		if wrong := evaluate[string](b, script); wrong != "" {
			b.t.Errorf("%s: it does not hold that %s: %.600s", what, rule, wrong)
		}
	}
}

// picture writes the page; of one that is higher than a picture can well be, the beginning and the end.
func (b *browser) picture(path string, l look) {
	b.t.Helper()
	const highest = 5000
	whole := max(evaluate[float64](b, "document.documentElement.scrollHeight"), float64(l.height))
	b.clip(path+".png", page.Viewport{Width: float64(l.width), Height: min(whole, highest), Scale: 1})
	if whole > highest {
		b.clip(path+"-end.png", page.Viewport{Y: whole - highest, Width: float64(l.width), Height: highest, Scale: 1})
	}
}

func (b *browser) clip(path string, part page.Viewport) {
	b.t.Helper()
	beyond := true
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond, Clip: &part})
	if err != nil {
		b.t.Fatalf("take the picture %s: %v", path, err)
	}
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
