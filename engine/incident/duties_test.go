package incident

import "testing"

// checkDuties goes through a journal again: nobody approved what rests on their word, and nobody did by hand what they had
// approved.
func (w *walk) checkDuties(t *testing.T) {
	t.Helper()
	s := State{}
	for i, e := range w.journal {
		switch d := e.Data.(type) {
		case GateApproved:
			not := s.excluded(w.plan, d.Step)
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
