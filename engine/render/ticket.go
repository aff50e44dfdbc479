package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Ticket writes an issue that a step opens: a title of at most 200 characters, and the text in a block of its own, since
// nobody can tell any more which of it is the author's and which an alert's. The key says what it belongs to, and
// TicketMark finds it again.
func Ticket(key, title, text string) (newTitle, body string) {
	var b strings.Builder
	step := key[strings.LastIndexByte(key, '/')+1:]
	// The mark comes first: what is too long for the hub loses its end.
	fmt.Fprintf(&b, "%s\nOpened by Pullbook: incident %s, step %s.\n", TicketMark(key), code(strings.TrimSuffix(key, "/"+step)), code(step))
	if strings.TrimSpace(text) != "" {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = neutral(line, inBlock)
		}
		b.WriteString("\n" + runbook.Fence("text", strings.Join(lines, "\n")))
	}
	return neutral(plain(title, 200), inTitle), b.String()
}

// TicketMark is the text by which an issue with the key is found.
func TicketMark(key string) string {
	return "<!-- pullbook ticket " + strings.NewReplacer("--", "", "<", "", ">", "").Replace(plain(key, inlineLimit)) + " -->"
}
