package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/runbooks"
)

// BenchmarkStories plays 200 stories of one runbook, as `pullbook test` does, and reports how many a second: stories that differ
// in nothing, and stories of which each has outputs of its own, so that nothing but the opening is the same in two of them.
func BenchmarkStories(b *testing.B) {
	for _, kind := range []string{"alike", "own"} {
		b.Run(kind, func(b *testing.B) {
			const stories = 200
			dir := filepath.Join(b.TempDir(), "runbooks")
			var text strings.Builder
			text.WriteString("alert {\"name\": \"CheckoutErrors\", \"labels\": {\"service\": \"checkout\"}, \"annotations\": {\"base_url\": \"http://checkout.example\"},\n\t\"starts_at\": \"2026-01-07T09:58:00Z\"}\nperson alice acme/sre\nperson bob acme/sre\n")
			for i := range stories {
				n := 0
				if kind == "own" {
					n = i
				}
				fmt.Fprintf(&text, `
case Number %d

alert

errors succeeds {"error_rate": 0.4, "requests": %d}
version succeeds {"current": "v%d", "previous": "v%d"}

alice approves rollback

rollback succeeds

recovered succeeds

bob says /done confirm
`, i, 1000+n, n+2, n+1)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				b.Fatal(err)
			}
			files := map[string][]byte{"checkout.cue": runbooks.Files()["runbooks/checkout.cue"], "checkout.test": []byte(text.String())}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
					b.Fatal(err)
				}
			}
			played := func(args ...string) {
				var out, notes bytes.Buffer
				root := rootCommand()
				root.SetArgs(append([]string{"test", dir}, args...))
				root.SetOut(&out)
				root.SetErr(&notes)
				if err := root.ExecuteContext(b.Context()); err != nil {
					b.Fatalf("%v\n%s%s", err, out.String(), notes.String())
				}
			}
			played("--update")
			for b.Loop() {
				played()
			}
			b.ReportMetric(stories*float64(b.N)/b.Elapsed().Seconds(), "cases/s")
		})
	}
}
