package step

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// longestNotice is how much of a notice is sent, in bytes: part of it may come from an alert.
const longestNotice = 32 << 10

// notify is the work of a notify: one notice to one channel.
type notify struct {
	Channel *channel `json:"channel"`
	Webhook *webhook `json:"webhook"`
	Email   *email   `json:"email"`
	Title   string   `json:"title"` // the incident and the step when empty
	Text    string   `json:"text"`
}

// update is the work of an update: one notice to each channel of its audience. When it is due again is not the runner's
// matter.
type update struct {
	Audience audience `json:"audience"`
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Every    length   `json:"every"`
}

// channel is where notices go: exactly one member is set. A channel that the step itself describes has no name.
type channel struct {
	Name    string   `json:"name"`
	Webhook *webhook `json:"webhook"`
	Email   *email   `json:"email"`
}

// webhook takes a notice as JSON by POST: {"title", "text", "incident", "step", "key", "url"}.
type webhook struct {
	named
	URL     string            `json:"url"` // like the headers, with secrets in the place of their $NAME
	Headers map[string]string `json:"headers"`
}

// Notify is the kind that sends one notice.
func (kinds) Notify() performer { return new(notify) }

// Update is the kind that tells an audience how things stand.
func (kinds) Update() performer { return new(update) }

// audience is one channel or a list of them.
type audience []channel

func (a *audience) UnmarshalJSON(text []byte) error {
	var several []channel
	if strings.HasPrefix(string(text), "[") {
		err := json.Unmarshal(text, &several)
		*a = several
		return err
	}
	var one channel
	err := json.Unmarshal(text, &one)
	*a = audience{one}
	return err
}

func (w *notify) channel() channel {
	if w.Channel != nil {
		return *w.Channel
	}
	return channel{Webhook: w.Webhook, Email: w.Email}
}

func (w *notify) names() []string { return w.channel().names() }

func (w *update) names() (names []string) {
	for _, c := range w.Audience {
		names = append(names, c.names()...)
	}
	return names
}

func (c channel) names() (names []string) {
	if c.Webhook != nil {
		names = append(names, c.Webhook.Secrets...)
	}
	if c.Email != nil && c.Email.Password != "" {
		names = append(names, c.Email.Password)
	}
	return names
}

func (w *notify) perform(ctx stepContext, a *attempt) result {
	return a.tell(ctx, []channel{w.channel()}, w.Title, w.Text)
}

func (w *update) perform(ctx stepContext, a *attempt) result {
	return a.tell(ctx, w.Audience, w.Title, w.Text)
}

// notice is what is sent, fit for every channel: without control characters, the title one line.
type notice struct {
	title, text string
	key         string // of the attempt and the channel: who gets the same twice can tell
}

// receipt is what a channel said.
type receipt struct {
	Channel string `json:"channel"`
	Answer  string `json:"answer"`
}

// tell sends a notice to channels, one after the other, and goes on after a failure. What they said is the log, and the
// output {"sent": [{"channel", "answer"}]} if the step declares one. The facts are those of the last channel.
func (a *attempt) tell(ctx stepContext, channels []channel, title, text string) result {
	n := notice{title: oneLine(clean(title)), text: head(clean(text), longestNotice)}
	if n.title == "" {
		n.title = fmt.Sprintf("Incident %s: %s", a.job.Incident, a.job.Step)
	}
	var sent []receipt
	var problems []error
	for _, c := range channels {
		n.key = a.job.Key
		if c.Name != "" && len(channels) > 1 {
			n.key += "/" + c.Name
		}
		answer, err := a.send(ctx, c, n)
		name := c.String()
		if err != nil {
			fmt.Fprintf(a.log, "%s: %v\n", name, err)
			problems = append(problems, fmt.Errorf("tell %s: %w", name, err))
			continue
		}
		fmt.Fprintf(a.log, "%s: %s\n", name, answer)
		sent = append(sent, receipt{name, answer})
	}
	a.noteCut("log", a.log)
	err := errors.Join(problems...)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.ended(single(err.Error()))
	case errors.As(err, new(*sentError)):
		return result{conclusion: runbook.Unknown, problem: single(err.Error())}
	case err != nil:
		return failed("%s", single(err.Error()))
	case !a.job.HasOutput:
		return result{conclusion: runbook.Succeeded}
	}
	output, err := json.Marshal(map[string]any{"sent": sent})
	if err != nil {
		return failed("write what the channels said: %w", err) // unreachable: texts are always JSON
	}
	return result{conclusion: runbook.Succeeded, output: output}
}

// String is the channel's name, or what it is.
func (c channel) String() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Webhook != nil:
		return "the webhook"
	}
	return "the mail server"
}

// send sends a notice to one channel and returns what the channel said.
func (a *attempt) send(ctx stepContext, c channel, n notice) (answer string, err error) {
	switch {
	case c.Webhook != nil && c.Email == nil:
		return a.post(ctx, *c.Webhook, n)
	case c.Email != nil && c.Webhook == nil:
		return a.mail(ctx, *c.Email, n)
	}
	return "", errors.New("the channel is neither a webhook nor an e-mail, or both")
}

// post sends a notice to a webhook.
func (a *attempt) post(ctx stepContext, w webhook, n notice) (answer string, err error) {
	to, err := fill(w.URL, a.secrets)
	if err != nil {
		return "", fmt.Errorf("the url: %w", err)
	}
	body, err := json.Marshal(map[string]string{"title": defused(n.title), "text": defused(n.text), "incident": a.job.Incident, "step": a.job.Step, "key": n.key, "url": a.job.PullURL})
	if err != nil {
		return "", fmt.Errorf("write the notice: %w", err) // unreachable: texts are always JSON
	}
	req, err := a.request(&request{URL: to, Method: "POST", Headers: w.Headers, Body: body})
	if err != nil {
		return "", err
	}
	req.Header.Set("Idempotency-Key", n.key)
	client := a.client()
	defer client.CloseIdleConnections()
	said := newCapture(a.cfg.LogLimit, a.veil.margin)
	ans, err := send(ctx, client, req, said)
	if err != nil {
		return "", err
	}
	a.facts["status"] = ans.Status
	if ans.StatusCode >= 300 {
		return "", fmt.Errorf("%s answered %s: %s", bare(req.URL), ans.Status, head(oneLine(said.text(a.veil)), 200))
	}
	return ans.Status, nil
}

// single makes one line of text.
func single(s string) string { return strings.Join(strings.Fields(s), " ") }

// oneLine makes one line of text, at most 200 bytes long.
func oneLine(s string) string { return head(single(s), 200) }
