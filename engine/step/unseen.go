package step

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/rehearsal"
)

// onlyLooks refuses to rehearse with pinned files that say they act in a rehearsal: nobody has approved anything then.
func (a *attempt) onlyLooks() error {
	for _, name := range slices.Sorted(maps.Keys(a.job.Files)) {
		if act, found := rehearsal.Acts(string(a.job.Kind), name, a.job.Files[name].Data); found {
			return fmt.Errorf("%s; %s", act.Text, act.Hint)
		}
	}
	return nil
}
