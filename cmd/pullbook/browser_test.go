package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a real Chromium that looks at a hub's pages. What must not happen on any page fails the test at its end: a
// request to another host, an error or warning in the console (such as one of the content security policy).
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu     sync.Mutex
	faults []string
	absent string // an address whose status of 404 is no fault

	last string // what was waited for last
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(profile(t)), chromedp.WSURLReadTimeout(time.Minute)}
	for _, flag := range []string{"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions", "disable-dev-shm-usage", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	b := &browser{t: t, base: base}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(ctx, chromedp.WithListener(b.watch))
	t.Cleanup(stop)
	t.Cleanup(b.judge)
	b.ctx = ctx
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	b.do("set the size", chromedp.EmulateViewport(1280, 900))
	return b
}

// profile is a directory for the browser alone. Its children may write there for a moment after it has ended.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pullbook-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("remove the browser's directory: %v", err)
	})
	return dir
}

func (b *browser) watch(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		own := err == nil && (u.Scheme == "data" || u.Scheme == "about" || u.Scheme+"://"+u.Host == b.base)
		if !own {
			b.fault("a request left the hub: " + e.Request.URL)
		}
	case *log.EventEntryAdded:
		loud := e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning
		if loud && !b.expects(e.Entry) {
			b.fault(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, a := range e.Args {
			words = append(words, string(a.Value)+a.Description)
		}
		if e.Type == "error" || e.Type == "warning" {
			b.fault("console: " + strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		b.fault("script: " + e.ExceptionDetails.Text)
	}
}

func (b *browser) expects(e *log.Entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return e.Source == log.EntrySourceNetwork && b.absent != "" && e.URL == b.absent
}

func (b *browser) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

func (b *browser) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Error(f)
	}
}

func (b *browser) do(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		where, _ := try[string](b, "location.href + '\\n' + document.body.innerText.slice(0, 2000)") // only for the message
		b.t.Fatalf("%s: %v, at %s", what, err, where)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// try runs a script, which a page that is going away may cut off.
func try[T any](b *browser, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}

// evaluate runs a script and returns what it comes to.
func evaluate[T any](b *browser, script string) T {
	b.t.Helper()
	out, err := try[T](b, script)
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return out
}

// click presses the mouse on what an XPath finds.
func (b *browser) click(path string) {
	b.t.Helper()
	b.do("click "+path, chromedp.Click(chromedp.Search(path), chromedp.NodeVisible))
}

func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.do("write into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// sees waits until a text is on the page.
func (b *browser) sees(text string) {
	b.t.Helper()
	b.awaits("the page says "+text, fmt.Sprintf("(document.querySelector('main')?.innerText ?? '').replace(/\\s+/g, ' ').includes(%q)", text))
}

// awaits waits until a script comes to true.
func (b *browser) awaits(what, script string) {
	b.t.Helper()
	b.t.Cleanup(func() {
		if b.t.Failed() && b.last == what {
			text, _ := try[string](b, "location.href + '\\n' + document.body.innerText.slice(0, 6000)") // only for the message
			b.t.Logf("where it did not come true that %s:\n%s", what, text)
		}
	})
	b.last = what
	waitFor(b.t, what, func() bool {
		good, err := try[bool](b, script)
		return err == nil && good
	})
}

// be chooses who one is.
func (b *browser) be(login string) {
	b.t.Helper()
	b.open("/")
	b.write("#login", login)
	b.click("//button[text()='Switch']")
	b.is(login)
}

// is waits until the page after the choice is there.
func (b *browser) is(login string) {
	b.t.Helper()
	b.awaits("one is "+login, fmt.Sprintf("document.readyState === 'complete' && !!document.querySelector('#login option[selected][value=%s]')", login))
}

// tabTo presses the tabulator until the selector's element has the focus, which must show on everything on the way.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	const most = 200
	for range most {
		b.keys(kb.Tab)
		if !evaluate[bool](b, `(() => { const s = getComputedStyle(document.activeElement); return document.activeElement === document.body || s.outlineStyle !== "none" })()`) {
			b.t.Errorf("the focus does not show on %s", evaluate[string](b, "document.activeElement.outerHTML.slice(0, 200)"))
		}
		if evaluate[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	b.t.Fatalf("%d tabulators do not lead to %s", most, selector)
}

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.do("press keys", chromedp.KeyEvent(keys))
}
