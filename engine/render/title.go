package render

import (
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// titleLimit is the length of a pull request's title in characters; GitHub takes 256.
const titleLimit = 200

// Title is the pull request's title, for example "[sev2] Checkout answers with errors: HighErrorRate". GitHub reads a title
// as plain text with references and code, so nothing is escaped in it: references are parted, backticks replaced.
func Title(p runbook.Plan, s incident.State) string {
	title := p.Title
	if title == "" {
		title = p.Name
	}
	if severity := s.SeverityOf(p); severity != "" {
		title = "[" + severity + "] " + title
	}
	title = plain(InRehearsal(s, title), 120)
	if s.Opened.Alert.Name != "" {
		title += ": " + plain(s.Opened.Alert.Name, 60)
	}
	out := []rune(strings.ReplaceAll(neutral(title, inTitle), "`", "'"))
	if len(out) > titleLimit {
		out = append(out[:titleLimit-1], '…')
	}
	return string(out)
}
