package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// probe is the work of a probe: a request that is repeated until the author's condition on the answer holds.
type probe struct {
	HTTP  request `json:"http"`
	Every length  `json:"every"` // between two requests; 0 means pauseOfProbe
}

const pauseOfProbe = 5 * time.Second

// Probe is the kind that asks until it is so.
func (kinds) Probe() performer { return new(probe) }

func (w *probe) names() []string { return w.HTTP.names() }

// probing is one probe under way.
type probing struct {
	*attempt
	req    *http.Request
	client *http.Client
	tries  int
	// last is why the newest try was not enough; wrong is the newest error of the condition itself.
	last, wrong error
	body        *capture // of the newest answer
}

// perform repeats the request until the condition holds. Its facts are those of http, of the newest answer, and tries. The log
// has a line for each try and, unless it is the output, the newest answer's body.
func (w *probe) perform(ctx stepContext, a *attempt) result {
	if a.until == nil {
		return failed("step %s is a probe without a condition", a.job.Step)
	}
	req, err := a.request(&w.HTTP)
	if err != nil {
		return failed("%w", err)
	}
	p := &probing{attempt: a, req: req, client: a.client()}
	defer p.client.CloseIdleConnections()
	res := p.repeat(ctx, time.Duration(cmp.Or(w.Every, length(pauseOfProbe))))
	a.facts["tries"] = strconv.Itoa(p.tries)
	if res.output == nil && p.body != nil && p.body.size > 0 {
		fmt.Fprintf(a.log, "\n[last answer]\n%s", p.body.start())
	}
	a.noteCut("log", a.log)
	return res
}

func (p *probing) repeat(ctx stepContext, every time.Duration) result {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		holds := p.try(ctx)
		p.note(holds)
		if holds {
			return p.done()
		}
		if p.job.Once {
			return result{conclusion: runbook.TimedOut, problem: "asked once, since this is a rehearsal, and nothing was done that it would wait for: " + p.why()}
		}
		select {
		case <-ctx.Done():
			return ctx.ended(p.why())
		case <-ticker.C:
		}
		// Both may have been ready, and then the choice was random.
		if ctx.Err() != nil {
			return ctx.ended(p.why())
		}
	}
}

func (p *probing) note(holds bool) {
	says := "condition holds"
	if !holds {
		says = p.last.Error()
	}
	fmt.Fprintf(p.log, "%s try %d: %s\n", p.cfg.Now().UTC().Format(time.RFC3339), p.tries, says)
}

func (p *probing) why() string {
	if p.wrong != nil && !errors.Is(p.last, p.wrong) {
		return fmt.Sprintf("%v; the condition could not be evaluated: %v", p.last, p.wrong)
	}
	return p.last.Error()
}

// try makes one request and asks the condition. If it does not hold, p.last says why.
func (p *probing) try(ctx context.Context) bool {
	p.tries++
	one, cancel := context.WithTimeout(ctx, p.tryTimeout)
	defer cancel()
	// A body of its own: the transport may still read that of an earlier try.
	req := p.req.Clone(one)
	if p.req.GetBody != nil {
		body, err := p.req.GetBody()
		if err != nil {
			p.last = err
			return false
		}
		req.Body = body
	}
	body := newCapture(p.cfg.OutputLimit, p.veil.margin)
	ans, err := send(one, p.client, req, body)
	if ans != nil {
		p.facts["status"], p.body = strconv.Itoa(ans.StatusCode), body
	}
	if err != nil {
		p.last = err
		return false
	}
	if ans.StatusCode >= http.StatusBadRequest {
		p.last = fmt.Errorf("answered %s", ans.Status)
		return false
	}
	holds, err := p.ask(ctx, ans, body)
	if err != nil {
		p.last, p.wrong = err, err
		return false
	}
	p.last = fmt.Errorf("answered %s, condition does not hold", ans.Status)
	return holds
}

func (p *probing) ask(ctx context.Context, ans *http.Response, body *capture) (bool, error) {
	data, whole := body.all()
	if !whole {
		return false, fmt.Errorf("the answer is larger than %d bytes", p.cfg.OutputLimit)
	}
	said, err := answerJSON(ans, data)
	if err != nil {
		return false, fmt.Errorf("encode the answer: %w", err)
	}
	return p.until(ctx, said)
}

func (p *probing) done() result {
	if !p.job.HasOutput {
		return result{conclusion: runbook.Succeeded}
	}
	data, whole := p.body.all()
	output, err := p.asOutput("the answer's body", data, whole)
	if err != nil {
		return failed("%w", err)
	}
	return result{conclusion: runbook.Succeeded, output: output}
}
