package cueval

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

const nearHint = "did you mean %s?"

// didYouMean returns a hint that names the candidate nearest to a misspelled name, or nothing if none is near.
func didYouMean(name string, candidates []string) string {
	if best := runbook.Nearest(name, candidates); best != "" {
		return fmt.Sprintf(nearHint, best)
	}
	return ""
}
