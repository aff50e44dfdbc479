package journal

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// editMarks name the pull request whose commit was taken, who wrote it, and who approved it.
func editMarks(d incident.PlanEdited) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Edit: pull request %d", d.Pull)
	if plainHex.MatchString(d.Head) {
		b.WriteString(" at " + d.Head)
	}
	b.WriteString("\n")
	for _, a := range d.Authors {
		b.WriteString("Edited-by: " + who(approval.Person{ID: a.ID, Login: a.Login}) + "\n")
	}
	for _, v := range d.Votes {
		b.WriteString("Approved-by: " + saidBy(v))
	}
	return b.String()
}
