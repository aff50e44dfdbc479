package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// beginning is the clock of a case that sets none: a working day, so that change windows are mostly open.
func beginning() time.Time { return time.Date(2026, time.January, 7, 10, 0, 0, 0, time.UTC) }

// errStatement is what a line must be like.
var errStatement = errors.New("is no statement; they are: alert, open, inputs, clock, person, given, wait, taken, free, resolved, " +
	"`STEP succeeds|fails|times out|is lost`, `NAME approves|rejects|withdraws|says|wrote`")

// obey performs one statement. The caller looks when all statements of the block are done.
func (r *run) obey(ctx context.Context, text string) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "alert":
		return r.alert(ctx, rest)
	case "open":
		return r.byHand(ctx, rest)
	case "inputs":
		r.inputs = json.RawMessage(rest)
		return valid(r.inputs)
	case "clock":
		return r.clock(rest)
	case "person":
		return r.person(rest)
	case "given":
		name, e, err := outcome(rest)
		r.stage.given[name] = e
		return err
	}
	if !r.stage.begun {
		return r.early(text)
	}
	switch word {
	case "wait":
		return r.wait(ctx, rest)
	case "taken":
		r.taken(rest)
		return nil
	case "free":
		delete(r.stage.view.Locks, rest)
		return nil
	case "resolved":
		a := r.stage.state.Opened.Alert
		a.Status = incident.ResolvedNow
		r.stage.view.Alerts = append(r.stage.view.Alerts, a)
		return nil
	}
	return r.deed(ctx, text)
}

// early is what may also be said before the incident is open.
func (r *run) early(text string) error {
	words := strings.Fields(text)
	if len(words) == 3 && words[1] == "wrote" {
		return r.deedOf(words[0], "wrote", words[2])
	}
	if words[0] == "taken" && len(words) == 2 {
		r.taken(words[1])
		return nil
	}
	err := errors.New("nothing can happen before `alert` or `open`")
	if _, _, other := outcome(text); !errors.Is(other, errStatement) {
		return err // it is a step's
	}
	if meant := runbook.Nearest(words[0], []string{"alert", "open", "inputs", "clock", "person", "given", "taken"}); meant != "" {
		return fmt.Errorf("%w; did you mean %s?", err, meant)
	}
	return err
}

// alert opens the incident, or is one more notification of the same problem.
func (r *run) alert(ctx context.Context, text string) error {
	if text != "" {
		a, err := r.config.Alert([]byte(text))
		if err != nil {
			return err
		}
		r.incoming = &a
	}
	if r.incoming == nil {
		return errors.New("there is no alert yet; write it after the word, as JSON, here or before the first case")
	}
	if r.head {
		return nil
	}
	a := *r.incoming
	if r.stage.begun {
		a.Group = r.stage.state.Opened.Group // another problem would be another incident
		r.stage.view.Alerts = append(r.stage.view.Alerts, a)
		return nil
	}
	alert, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write the alert: %w", err)
	}
	files, err := r.family(ctx)
	if err != nil {
		return err
	}
	route, err := r.config.Eval.Route(ctx, files, alert)
	if err != nil {
		return err
	}
	if route.Runbook != r.config.Source.Runbook && len(route.Problems) > 0 {
		return fmt.Errorf("%s: %s", route.Why, route.Problems[0])
	}
	if route.Runbook != r.config.Source.Runbook {
		return fmt.Errorf("%s does not answer this alert: %s; `open` opens it by hand", r.config.Source.Runbook, route.Why)
	}
	return r.open(ctx, opening{alert: a, why: route.Why, inputs: r.inputs})
}

// family are the files of the runbook and of those that it opens, and that these open: without them it is no right runbook.
func (r *run) family(ctx context.Context) (map[string][]byte, error) {
	all, files := r.config.Source.Others, maps.Clone(r.config.Source.Of(r.config.Plan).Files)
	seen := map[string]bool{r.config.Source.Runbook: true}
	for left := []runbook.Plan{r.config.Plan}; len(left) > 0; left = left[1:] {
		for _, step := range left[0].Steps {
			name, there := runbook.Find(all, step.Runbook)
			if step.Runbook == "" || !there || seen[name] {
				continue
			}
			seen[name] = true
			source := runbook.SourceOf(all, name)
			plan, problems, err := r.config.Eval.Load(ctx, source)
			if err != nil {
				return nil, fmt.Errorf("load the runbook %s: %w", step.Runbook, err)
			}
			maps.Copy(files, source.Files)
			if len(problems) == 0 { // routing says them of what opens it
				maps.Copy(files, source.Of(plan).Files)
				left = append(left, plan)
			}
		}
	}
	return files, nil
}

// byPerson is why an incident has the runbook that a person named, as the engine records it.
const byPerson = "chosen by a person"

// byHand opens the incident as a person does, for an alert if there is one.
func (r *run) byHand(ctx context.Context, text string) error {
	if text != "" {
		a, err := r.config.Alert([]byte(text))
		if err != nil {
			return err
		}
		r.incoming = &a
	}
	return r.open(ctx, opening{why: byPerson, inputs: r.inputs})
}

func (r *run) open(ctx context.Context, o opening) error {
	if r.head {
		return errors.New("an incident is opened in a case")
	}
	if r.stage.begun {
		return errors.New("the incident is open already")
	}
	if o.alert.Name == "" {
		o.alert = incident.Alert{Name: "opened by hand", Source: "manual", Status: incident.Firing, Fingerprint: "by-hand", Group: "by-hand",
			Labels: map[string]string{}, Annotations: map[string]string{}, StartsAt: r.stage.now}
		if r.incoming != nil {
			o.alert = *r.incoming
		}
	}
	return r.stage.open(ctx, o)
}

func (r *run) clock(text string) error {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is no time such as 2026-01-07T10:00:00Z", text)
	}
	if r.stage.begun {
		return errors.New("the clock is set before the incident opens; `wait` lets time pass")
	}
	r.stage.now = at.UTC()
	return nil
}

func (r *run) wait(ctx context.Context, text string) error {
	until := r.stage.now
	if moment, ok := strings.CutPrefix(text, "until "); ok {
		at, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			return fmt.Errorf("%q is no time such as 2026-01-07T10:00:00Z", moment)
		}
		until = at.UTC()
	} else {
		length, ok := runbook.ParseDuration(text)
		if !ok {
			return fmt.Errorf("%q is no length of time such as 90s, 1h30m or 2d", text)
		}
		until = until.Add(length)
	}
	if !until.After(r.stage.now) {
		return errors.New("time passes forwards only")
	}
	return r.stage.pass(ctx, until)
}

// person declares who somebody is: person NAME [TEAM...] [code:owners] [read-only].
func (r *run) person(text string) error {
	words := strings.Fields(text)
	if len(words) == 0 {
		return errors.New("a person has a name: person alice acme/sre")
	}
	p := r.stage.who(words[0])
	p.Teams = nil
	r.stage.owners = slices.DeleteFunc(r.stage.owners, func(login string) bool { return login == p.Login })
	for _, w := range words[1:] {
		switch {
		case w == "read-only":
			p.Write = false
		case w == runbook.CodeOwners:
			r.stage.owners = append(r.stage.owners, p.Login)
		case strings.Contains(w, "/"):
			p.Teams = append(p.Teams, w)
		default:
			return fmt.Errorf("%q is neither a team such as acme/sre, code:owners nor read-only", w)
		}
	}
	r.stage.people[p.Login] = p
	return nil
}

func (r *run) taken(name string) {
	if r.stage.view.Locks == nil {
		r.stage.view.Locks = map[string]incident.Holder{}
	}
	r.stage.view.Locks[name] = incident.Holder{Incident: "20260101-aaaaaaaaaa", Step: "another", Since: r.stage.now, PullURL: "http://hub/acme/ops/pull/9"}
}

// deed is what a step or a person does.
func (r *run) deed(ctx context.Context, text string) error {
	if name, e, err := outcome(text); err == nil || !errors.Is(err, errStatement) {
		if err != nil {
			return err
		}
		return r.stage.endStep(ctx, name, e)
	}
	who, rest, _ := strings.Cut(text, " ")
	verb, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return r.deedOf(who, verb, strings.TrimSpace(rest))
}

func (r *run) deedOf(who, verb, rest string) error {
	s := r.stage
	switch verb {
	case "approves":
		body := ""
		if rest != "" {
			body = "/approve " + rest
		}
		r.review(who, approval.Approved, body)
	case "rejects":
		r.review(who, approval.ChangesRequested, "/reject "+rest)
	case "withdraws":
		i := len(s.view.Reviews) - 1
		for i >= 0 && (s.view.Reviews[i].By.Login != who || s.view.Reviews[i].State == approval.Dismissed) {
			i--
		}
		if i < 0 {
			return fmt.Errorf("%s has no review to withdraw", who)
		}
		s.view.Reviews[i].State = approval.Dismissed
	case "says":
		s.view.Comments = append(s.view.Comments, incident.Comment{ID: s.next(), By: r.stage.who(who), Body: rest, At: s.now})
	case "wrote":
		p := r.stage.who(who)
		a := s.wrote[rest]
		a.People = append(a.People, runbook.Author{ID: p.ID, Login: p.Login, By: "commit 1a2b3c4"})
		s.wrote[rest] = a
	default:
		return errStatement
	}
	return nil
}

func (r *run) review(who string, state approval.ReviewState, body string) {
	s, by := r.stage, r.stage.who(who)
	s.view.Reviews = append(s.view.Reviews, approval.Review{ID: s.next(), By: by, State: state, Commit: s.view.Pull.Head, Body: body, At: s.now})
	s.view.Pull.Asked = slices.DeleteFunc(s.view.Pull.Asked, func(name string) bool { return approval.Named(by, []string{name}) })
}

// outcome reads `STEP succeeds|fails|times out|is lost`, with what it puts out or why.
func outcome(text string) (name string, e ending, err error) {
	name, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	for _, way := range []struct {
		words      string
		conclusion runbook.Conclusion
	}{{"succeeds", runbook.Succeeded}, {"fails", runbook.Failed}, {"times out", runbook.TimedOut}, {"is lost", runbook.Unknown}} {
		after, ok := strings.CutPrefix(rest, way.words)
		if !ok || after != "" && after[0] != ' ' {
			continue
		}
		after = strings.TrimSpace(after)
		e = ending{conclusion: way.conclusion}
		switch {
		case way.conclusion == runbook.Succeeded && after != "":
			e.output = json.RawMessage(after)
			return name, e, valid(e.output)
		case way.conclusion == runbook.Failed:
			e.why = after
		case after != "":
			return name, e, fmt.Errorf("%q after %q says nothing", after, way.words)
		}
		return name, e, nil
	}
	return name, e, errStatement
}

func valid(text json.RawMessage) error {
	var x any
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return nil
}
