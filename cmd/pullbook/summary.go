package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
)

// maxSummary bounds what one run adds to a job summary, in bytes: GitHub takes 1 MiB a step.
const maxSummary = 512 << 10

// text is the summary for a terminal.
func (s summary) text() string {
	var b strings.Builder
	for _, d := range s.Done {
		fmt.Fprintf(&b, "%s: %s\n", d.Incident, d.Done)
	}
	if len(s.Done) == 0 {
		b.WriteString("nothing was due\n")
	}
	for _, o := range s.Open {
		fmt.Fprintf(&b, "\n%s %s\n", o.ID, o.URL)
		for line := range strings.Lines(o.Headline) {
			if line != "\n" {
				b.WriteString("  " + line)
			}
		}
	}
	if !s.Next.IsZero() {
		fmt.Fprintf(&b, "\nthe first timer is due at %s\n", s.Next.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// markdown is the summary for a job. What comes from an incident was defused where it was rendered; failures may hold
// foreign words.
func (s summary) markdown() string {
	var b strings.Builder
	b.WriteString("## Pullbook\n\n")
	if len(s.Done) == 0 {
		b.WriteString("Nothing was due.\n")
	}
	var last incident.ID
	for _, d := range s.Done {
		if d.Incident != last {
			fmt.Fprintf(&b, "\n**%s**\n\n", render.Safe(string(d.Incident)))
			last = d.Incident
		}
		fmt.Fprintf(&b, "- %s\n", render.Safe(d.Done))
	}
	if len(s.Open) > 0 {
		b.WriteString("\n### What is open\n")
	}
	for _, o := range s.Open {
		fmt.Fprintf(&b, "\n#### %s\n\n%s\n", render.Safe(o.Title), o.Headline)
		if o.URL != "" {
			fmt.Fprintf(&b, "%s\n", o.URL)
		}
	}
	if !s.Next.IsZero() {
		fmt.Fprintf(&b, "\nThe first timer is due at %s.\n", s.Next.UTC().Format(time.RFC3339))
	}
	for _, f := range s.Failed {
		fmt.Fprintf(&b, "\n**Failed:** %s\n", render.Safe(f))
	}
	text := b.String()
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + "\n\n(cut)\n"
	}
	return text
}

// appendSummary adds to the file that GitHub Actions shows on a job's page.
func appendSummary(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close()
		return fmt.Errorf("write the summary: %w", err)
	}
	return f.Close()
}
