package incident

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Button is a button of a completed check run. Its bounds are the hub's: a run has at most three, a label and an identifier have
// at most 20 characters, a description at most 40 ("Create a check run", parameter actions).
type Button struct {
	Label       string
	Identifier  string // the verb without its slash, a colon, and the event that brought the step to where it is: retry:17
	Description string
}

const (
	mostButtons     = 3
	mostLabel       = 20
	mostDescription = 40
)

// Press is that a person has pressed a button, as a verified webhook told it. The hub keeps no list of presses: unlike a hint
// this is a fact, durable from the moment at which the webhook is answered. Whether the person may is looked up when it is heard.
type Press struct {
	Delivery string          `json:"delivery"` // the hub's id of the webhook: what it says is done once
	By       approval.Person `json:"by"`       // numeric id, login and whether it is a bot; nothing else is known yet
	Check    int64           `json:"check"`    // the hub's id of the check run
	Run      string          `json:"run"`      // the external id of the check run
	Button   string          `json:"button"`   // its identifier
	At       time.Time       `json:"at"`       // when the webhook arrived: the hub does not say when it was pressed
}

// Incident is the incident of the check run; ok is false where it is that of none.
func (p Press) Incident() (id ID, ok bool) {
	name, _, _ := strings.Cut(p.Run, "/")
	id, err := ParseID(name)
	return id, err == nil
}

// byButton is what a button gives where a command asks for a reason.
const byButton = "by a button"

// StepButtons are those of the check run of a step that has ended badly. A button to skip it is also there where the step has a gate,
// and then answers what to write in a review.
func (s State) StepButtons(plan runbook.Plan, name string) []Button {
	if st := s.Step(name); !st.Over() || st.Good() || s.End != "" {
		return nil
	}
	step, _, ok := s.Find(plan, name)
	if !ok {
		return nil
	}
	out := []Button{s.button("Retry", "retry", name, "Try "+name+" again")}
	switch {
	case s.settled(step):
		return out // the plan goes on without it
	case step.Approval != nil:
		return append(out, s.button("Skip", "skip", name, "Says what its approvers have to write"))
	}
	return append(out, s.button("Skip", "skip", name, "Go on without "+name))
}

// RollupButtons are those of the check run that stands for the whole incident, while it waits for people: a step of which nobody
// knows whether it happened can be tried again, and one that people do or answer can be skipped. Of gates they say nothing: those
// are answered in reviews.
func (s State) RollupButtons(plan runbook.Plan) []Button {
	var out []Button
	for _, step := range s.Expand(plan).Steps {
		st, b := s.Step(step.Name), Button{}
		switch {
		case st.Phase == PhaseUnknown && !st.Closed:
			b = s.button("Retry "+step.Name, "retry", step.Name, "It did not happen: retry "+step.Name)
		case asksNow(step, st) && step.Approval == nil:
			b = s.button("Skip "+step.Name, "skip", step.Name, "Go on without "+step.Name)
		default:
			continue
		}
		alike := func(x Button) bool { return x.Label == b.Label }
		if len(out) < mostButtons && !slices.ContainsFunc(out, alike) { // the others are left to words
			out = append(out, b)
		}
	}
	return out
}

// asksNow reports whether the check run of the incident says that people are asked for a step: to answer it, or to do it without
// approval. Then it has a button to skip it.
func asksNow(step runbook.Step, st StepState) bool {
	return st.Phase == PhaseStarted && (st.Kind == runbook.KindChoose || st.Kind == runbook.KindManual && step.Approval == nil)
}

func (s State) button(label, verb, step, description string) Button {
	return Button{Label: fitted(label, mostLabel), Identifier: fmt.Sprintf("%s:%d", verb, s.Step(step).Since()),
		Description: fitted(description, mostDescription)}
}

// fitted cuts a text to a number of characters.
func fitted(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// recordPresses obeys the buttons that people have pressed, as the comment that says the same.
func (d *decider) recordPresses() {
	for _, p := range d.view.Presses {
		key := "press-" + p.Delivery
		if p.By.Bot || d.state.Pressed[p.Delivery] || d.answered(key) {
			continue
		}
		cmd, problem := d.pressed(p)
		by, known := d.view.People[strings.ToLower(p.By.Login)]
		if problem == "" && (!known || by.ID != p.By.ID || !d.mayCommand(by)) {
			problem = mayNotCommand
		}
		if problem == "" {
			words := strings.TrimSpace(cmd.Verb + " " + cmd.Step + " " + cmd.Rest)
			problem = d.obey([]Command{cmd}, Deed{By: by, Via: ViaButton, ID: p.Check, At: p.At, Commit: d.headSeen(), Words: words, Delivery: p.Delivery})
		}
		if problem != "" {
			d.reply(key, "The button that "+words(p.By.Login)+" pressed did nothing: "+ended(problem))
			continue
		}
		d.flushFor("a person has pressed a button") // nothing but the inbox has it until then
	}
}

// pressed is the command that a button stands for, if the step is still where it was when the button was shown.
func (d *decider) pressed(p Press) (cmd Command, problem string) {
	verb, event, _ := strings.Cut(p.Button, ":")
	seq, err := strconv.Atoi(event)
	id, ours := p.Incident()
	if err != nil || seq <= 0 || verb != "retry" && verb != "skip" || !ours || id != d.state.Opened.ID {
		return cmd, "it is not one of this incident's"
	}
	i := slices.IndexFunc(d.plan.Steps, func(s runbook.Step) bool { return d.state.Step(s.Name).Since() == seq })
	if i < 0 {
		return cmd, "its step is not where it was when the button was shown; the newest check has those that fit"
	}
	cmd = Command{Verb: "/" + verb, Step: d.plan.Steps[i].Name}
	if verb == "skip" {
		cmd.Rest = byButton
	}
	return cmd, ""
}

// frozenPresses answers the buttons that were pressed while nothing runs.
func (d *decider) frozenPresses() {
	for _, p := range d.view.Presses {
		if !p.By.Bot {
			d.reply("press-"+p.Delivery, "The button that "+words(p.By.Login)+" pressed did nothing: the incident is frozen. Press it again when it goes on.")
		}
	}
}
