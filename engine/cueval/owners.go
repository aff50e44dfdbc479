package cueval

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ownersIn puts the owners of the runbook's service in the place of the word that stands for them in one list of a rule.
// Where there are none, or nobody knows whose owners they would be, the word stays, with a problem. That of the code stays
// too: whoever freezes the plan has the file that names them.
func (s *skeleton) ownersIn(rule *runbook.Approval, at []string) {
	i := slices.Index(rule.From, runbook.ServiceOwners)
	if i < 0 {
		return
	}
	at = append(slices.Clone(at), "from", strconv.Itoa(i))
	f := field(s.doc.static(), "service")
	name, settled := s.doc.servedName()
	owners := s.doc.org.Services[name].Owners
	_, listed := s.doc.org.Services[name]
	switch {
	case !f.Exists():
		s.problem("the runbook has no service whose owners could be asked", `write service: "..." in the runbook, a service of `+organisationFile, at...)
	case !settled:
		s.problem("whose owners are asked must be known before anything runs", "write out the service of the runbook, or name the teams", at...)
	case !listed && len(s.doc.org.Services) > 0: // reported where the service is named
	case len(owners) == 0:
		s.problem(fmt.Sprintf("the service %s has no owners", name), fmt.Sprintf("write services: %q: owners: [...] in %s", name, organisationFile), at...)
	default:
		*rule = rule.With(runbook.ServiceOwners, owners, "owner of service "+name)
	}
}

// standing says what is wrong with a word that stands for people where no step is: in a rule of the organisation.
func standing(name string) (text, hint string) {
	return fmt.Sprintf("%q stands for people in the approval of a step only", name), "name the teams and users"
}
