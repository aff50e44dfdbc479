package scenario

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// who is the person of a name: one who may write, and is in no team, where nobody has said anything else.
func (s *stage) who(login string) approval.Person {
	p, ok := s.people[login]
	if !ok {
		p = approval.Person{ID: int64(101 + len(s.people)), Login: login, Write: true}
		s.people[login] = p
	}
	return p
}

// hear looks up what the comments name before the core can obey them, as the engine does: who people are, and what the values
// of a /done come to.
func (s *stage) hear(ctx context.Context) error {
	s.view.People, s.view.Results = map[string]approval.Person{}, map[incident.Command]incident.Result{}
	for login, p := range s.people {
		s.view.People[strings.ToLower(login)] = p
	}
	var bodies []string
	for _, c := range s.view.Comments {
		if !c.Own {
			bodies = append(bodies, c.Body)
		}
	}
	for _, login := range incident.Assignees(bodies) {
		if _, known := s.view.People[login]; !known {
			s.view.People[login] = s.who(login)
		}
	}
	for _, cmd := range s.state.Unchecked(s.plan, s.view.Comments) {
		r, err := cmd.Result(func(object json.RawMessage) (json.RawMessage, error) {
			q := s.query(s.state.Ended(s.plan))
			q.Words = true
			return s.eval.Output(ctx, q, cmd.Step, object)
		})
		if err != nil {
			return err
		}
		s.view.Results[cmd] = r
	}
	return nil
}
