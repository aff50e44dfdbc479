package render

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ruleWords says who must approve, without the time that they have for it.
func ruleWords(rule runbook.Approval) string {
	if len(rule.All) == 0 && len(rule.Any) == 0 {
		return fmt.Sprintf("%d of %s", rule.Count, people(rule.From))
	}
	rule.Within = 0
	return inline(rule.String(), 500)
}
