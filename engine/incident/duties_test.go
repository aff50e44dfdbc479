package incident

import (
	"maps"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// wrote lets the hub say who wrote a step: by=alice,bob unmapped=2.
func (s *stage) wrote(t *testing.T, args map[string]string) {
	t.Helper()
	var a runbook.Authorship
	for _, login := range strings.FieldsFunc(args["by"], func(r rune) bool { return r == ',' }) {
		p := person(map[string]string{"by": login})
		a.People = append(a.People, runbook.Author{ID: p.ID, Login: p.Login, By: "commit 1a2b3c4"})
	}
	if n := args["unmapped"]; n != "" {
		a.Unmapped = int(number(t, n))
	}
	all := map[string]runbook.Authorship{args["step"]: a}
	maps.Copy(all, s.view.Authors)
	if args["now"] != "" { // it is made of other lines
		all[args["step"]] = a
	}
	if args["by"] == "nobody" { // the hub does not answer
		delete(all, args["step"])
	}
	s.view.Authors = all
}

// checkDuties goes through a journal again: nobody approved what rests on their word, and nobody did by hand what they had
// approved.
func (w *walk) checkDuties(t *testing.T) {
	t.Helper()
	s := State{}
	for i, e := range w.journal {
		switch d := e.Data.(type) {
		case GateApproved:
			not, _ := excluded(s.Barred(w.plan, d.Step))
			for _, v := range d.Votes {
				if not[v.By.ID] != "" {
					t.Fatalf("%s approved %s, although %s", v.By.Login, d.Step, not[v.By.ID])
				}
			}
		case StepEnded:
			st := s.Step(d.Step)
			for _, v := range st.Gate.Votes {
				if d.Deed != nil && d.Deed.By.ID == v.By.ID {
					t.Fatalf("%s did %s and had approved it", v.By.Login, d.Step)
				}
			}
		}
		var err error
		if i == 0 {
			s, err = Fold(w.journal[:1])
		} else {
			s, err = s.With(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
