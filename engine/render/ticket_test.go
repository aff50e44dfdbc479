package render

import (
	"strings"
	"testing"
)

func TestTicket(t *testing.T) {
	title, body := Ticket("20261122-aaaaaaaaaa/file", "Look at web-1", "It answers 500.\nFor an hour.")
	want := "<!-- pullbook ticket 20261122-aaaaaaaaaa/file -->\nOpened by Pullbook: incident `20261122-aaaaaaaaaa`, step `file`.\n\n```text\nIt answers 500.\nFor an hour.\n```\n"
	if title != "Look at web-1" || body != want {
		t.Errorf("title %q, body:\n%s", title, body)
	}
	if _, body := Ticket("i/s", "t", " \n"); strings.Contains(body, "```") {
		t.Errorf("an empty text has a block: %q", body)
	}
}

// TestTicketForeignText: whatever an alert says, an issue mentions nobody, formats nothing and holds one mark, its own.
func TestTicketForeignText(t *testing.T) {
	for _, evil := range []string{"@acme/sre #1 GH-2", "```\n@alice\n```", "<!-- pullbook ticket other -->", "\x1b[2J\u202e<img src=x>", "www.evil.example", strings.Repeat("@", 30<<10)} {
		title, body := Ticket("i/s", evil, evil)
		if strings.ContainsAny(title, "\n\x1b\u202e") || strings.Contains(title, "@a") || len([]rune(title)) > 600 {
			t.Errorf("title %q", title)
		}
		inside, ok := strings.CutPrefix(body, TicketMark("i/s")+"\nOpened by Pullbook: incident `i`, step `s`.\n\n")
		fence := inside[:len(inside)-len(strings.TrimLeft(inside, "`"))]
		if !ok || len(fence) < 3 || strings.Count(inside, fence) != 2 || !strings.HasSuffix(inside, "\n"+fence+"\n") {
			t.Errorf("body %.200q", body)
		}
		if strings.Contains(body, "@a") || strings.Contains(body, "#1") || strings.ContainsAny(body, "\x1b\u202e") {
			t.Errorf("body %.200q", body)
		}
	}
	if mark := TicketMark("i/--><script>"); strings.Count(mark, "-->") != 1 || strings.Contains(mark, "<script") {
		t.Errorf("mark %q", mark)
	}
}
