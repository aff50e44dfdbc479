package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-github/v60/github"
)

// gallery is a hub without an engine, for the pages alone.
type gallery struct {
	*world
	t   *testing.T
	app *github.Client // of the installation
	dir string         // a clone that pushes as alice
}

func newGallery(t *testing.T) *gallery {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	w, err := newWorld(context.Background(), stage{dir: t.TempDir(), listen: "127.0.0.1:0", open: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	rt, err := ghinstallation.NewKeyFromFile(http.DefaultTransport, demoAppID, demoInstallation, filepath.Join(w.dir, "app.pem"))
	if err != nil {
		t.Fatal(err)
	}
	rt.BaseURL = w.url + "/api/v3"
	app, err := github.NewClient(&http.Client{Transport: rt}).WithEnterpriseURLs(w.url, w.url)
	if err != nil {
		t.Fatal(err)
	}
	g := &gallery{world: w, t: t, app: app, dir: filepath.Join(t.TempDir(), "ops")}
	g.git("", "clone", "-q", strings.Replace(w.url, "http://", "http://alice:"+w.tokens["alice"]+"@", 1)+"/acme/ops.git", g.dir)
	return g
}

// asApp is the App as itself.
func (g *gallery) asApp() *github.Client {
	g.t.Helper()
	rt, err := ghinstallation.NewAppsTransportKeyFromFile(http.DefaultTransport, demoAppID, filepath.Join(g.world.dir, "app.pem"))
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := github.NewClient(&http.Client{Transport: rt}).WithEnterpriseURLs(g.url, g.url)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

func (g *gallery) git(dir string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@acme.test", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@acme.test")
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes one file and returns the commit; push sends a branch.
func (g *gallery) commit(file, text, message string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.git(g.dir, "add", file)
	g.git(g.dir, "commit", "-q", "-m", message)
	return g.git(g.dir, "rev-parse", "HEAD")
}

// pull opens a pull request as the App, of a branch that is pushed first.
func (g *gallery) pull(branch, title, body string) (number int) {
	g.t.Helper()
	g.git(g.dir, "push", "-q", "origin", branch)
	in := &github.NewPullRequest{Title: &title, Body: &body, Head: &branch, Base: github.String("main")}
	made, _, err := g.app.PullRequests.Create(g.t.Context(), demoOwner, demoName, in)
	if err != nil {
		g.t.Fatal(err)
	}
	return made.GetNumber()
}

// check reports a check run; an empty conclusion is one that has not ended.
func (g *gallery) check(sha, name, conclusion, title string) {
	g.t.Helper()
	in := github.CreateCheckRunOptions{Name: name, HeadSHA: sha, Status: github.String("in_progress"),
		Output: &github.CheckRunOutput{Title: &title, Summary: github.String("**" + title + "**")}}
	if conclusion != "" {
		in.Status, in.Conclusion = github.String("completed"), &conclusion
	}
	if _, _, err := g.app.Checks.CreateCheckRun(g.t.Context(), demoOwner, demoName, in); err != nil {
		g.t.Fatal(err)
	}
}

// plainPull is a pull request that can be merged.
func (g *gallery) plainPull() string {
	g.git(g.dir, "switch", "-q", "-c", "fix/disk")
	sha := g.commit("disk.txt", "Grow the disk.\n", "Grow the disk")
	g.pull("fix/disk", "Grow the disk of web-1", "It is **full**.\n\n- [x] seen\n- [ ] mended\n")
	g.check(sha, "pullbook", "success", "nothing waits")
	return sha
}

// approved says whether alice's approval of a commit has arrived.
func (g *gallery) approved(sha, words string) bool {
	reviews, _, err := g.app.PullRequests.ListReviews(g.t.Context(), demoOwner, demoName, 1, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return len(reviews) == 1 && reviews[0].GetState() == "APPROVED" && reviews[0].GetUser().GetLogin() == "alice" &&
		reviews[0].GetBody() == words && reviews[0].GetCommitID() == sha
}

// askedAgain waits until the App was sent so many requests for a check once more.
func (g *gallery) askedAgain(times int) {
	g.t.Helper()
	waitFor(g.t, "the App is asked for the check once more", func() bool {
		list, _, err := g.asApp().Apps.ListHookDeliveries(g.t.Context(), nil)
		if err != nil {
			g.t.Fatal(err)
		}
		asked := 0
		for _, d := range list {
			if d.GetEvent() == "check_run" && d.GetAction() == "rerequested" {
				asked++
			}
		}
		return asked == times
	})
}

func TestPersonApprovesAndMergesWithTheMouse(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	sha := g.plainPull()
	b := newBrowser(t, g.url)
	b.be("alice")
	b.click("//a[text()='acme/ops']")
	b.write("input[name=q]", "disk")
	b.click("//button[text()='Filter']")
	b.sees("1 found.")
	b.click("//a[text()='Grow the disk of web-1']")
	b.sees("All checks on the last commit have passed.")
	b.click("//details[contains(@class,'check')]/summary")
	b.click("//button[text()='Re-run']")
	b.sees("has been asked")
	g.askedAgain(1)
	b.write("#review-body", "Fine, go on.")
	b.click("//input[@value='APPROVE']")
	b.click("//button[text()='Submit review']")
	b.sees("alice approved")
	if !g.approved(sha, "Fine, go on.") {
		t.Error("the approval is not as it was written")
	}
	b.click("//button[text()='Merge pull request']")
	b.sees("Merged by alice")
}

func TestPersonApprovesAndMergesWithTheKeyboard(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	sha := g.plainPull()
	b := newBrowser(t, g.url)
	b.open("/")
	b.tabTo("a.skip")
	b.keys(kb.Enter)
	if !evaluate[bool](b, "document.activeElement.id === 'main'") {
		t.Error("the skip link does not lead to the content")
	}
	b.open("/")
	b.tabTo("#login")
	b.keys("alice")
	b.tabTo(".who button")
	b.keys(kb.Enter)
	b.is("alice")
	b.tabTo("a[href='/acme/ops/pulls']")
	b.keys(kb.Enter)
	b.sees("Pull requests")
	b.tabTo("input[name=q]")
	b.keys("disk" + kb.Enter)
	b.sees("1 found.")
	b.tabTo("a[href='/acme/ops/pull/1']")
	b.keys(kb.Enter)
	b.sees("All checks on the last commit have passed.")
	b.tabTo("details.check summary")
	b.keys(kb.Enter)
	b.tabTo("details.check button[value='']")
	b.keys(kb.Enter)
	b.sees("has been asked")
	g.askedAgain(1)
	b.tabTo("#review-body")
	b.keys("Fine, go on.")
	b.tabTo("input[value=APPROVE]")
	b.keys(" ")
	b.tabTo("#review button")
	b.keys(kb.Enter)
	b.sees("alice approved")
	if !g.approved(sha, "Fine, go on.") {
		t.Error("the approval is not as it was written")
	}
	b.tabTo("#merge-button")
	b.keys(kb.Enter)
	b.sees("Merged by alice")
}

// TestPageRefreshesAroundWhoTypes has news arrive while a person writes, has unfolded something and has a place.
func TestPageRefreshesAroundWhoTypes(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	sha := g.plainPull()
	b := newBrowser(t, g.url)
	b.be("bob")
	b.open("/acme/ops/pull/1")
	b.click("//section[@id='checks']//summary")
	b.write("#review-body", "half a sen")
	b.write("#comment-body", "and half a comm")
	g.check(sha, "pullbook", "", "measuring again")
	b.sees("pullbook is at work: measuring again")
	next := g.commit("disk.txt", "Grow the disk more.\n", "Grow it more")
	g.git(g.dir, "push", "-q", "origin", "fix/disk")
	g.check(next, "pullbook", "action_required", "approve it")
	b.sees("pullbook waits for somebody: approve it")
	b.sees("There are newer commits.")
	b.keys("ent") // the focus has stayed where it was
	typed := evaluate[string](b, "document.getElementById('review-body').value + '|' + document.getElementById('comment-body').value")
	if typed != "half a sen|and half a comment" {
		t.Errorf("what was typed has become %q", typed)
	}
	if got := evaluate[string](b, "document.getElementById('review-commit').value"); got != sha {
		t.Errorf("the review moved to %s", got)
	}
	if !evaluate[bool](b, "document.querySelector('#checks details').open") {
		t.Error("what was unfolded is folded again")
	}
	b.click("//button[text()='Comment']")
	b.sees("bob commented")
	if got := evaluate[string](b, "document.getElementById('review-commit').value"); got != next {
		t.Errorf("a fresh page begins with %s, want the head", got)
	}
}

// TestIncidentInTheBrowser takes a real incident from its gate to its end: the page follows the engine by itself.
func TestIncidentInTheBrowser(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	s.startToy(t)
	b := newBrowser(t, s.world.url) // before the engine, which must end first
	s.serve(t)
	s.raise(t, alarm{Name: "CheckoutErrors", Labels: map[string]string{"service": "checkout"}, Annotations: map[string]string{"base_url": s.toy.url}})
	b.be("alice")
	waitFor(t, "the incident is listed", func() bool {
		b.open("/acme/ops/pulls")
		return evaluate[bool](b, "!!document.querySelector('.list a.title')")
	})
	b.click("//a[@class='title']")
	b.sees("pullbook waits for somebody")
	b.awaits("the graph is drawn", "!!document.querySelector('.graph svg .node')")
	b.write("#review-body", "/approve rollback")
	b.click("//input[@value='APPROVE']")
	b.click("//button[text()='Submit review']")
	b.sees("When it is done, comment /done confirm.") // the files say much the same before
	b.write("#comment-body", "/done confirm")
	b.click("//button[text()='Comment']")
	b.sees("Merged by pullbook[bot]")
	if n := s.effect.Load(); n != 1 {
		t.Errorf("%d rollbacks", n)
	}
}
