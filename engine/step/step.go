package step

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Config says where and within which bounds a Runner works. Zero values of the limits, EnvAllow and Now get the values
// that their comments name.
type Config struct {
	Dir             string           // scratch root, required; made when absent; several runners may share it
	KeepDir         string           // what attempts keep for others; empty: steps that keep something fail
	SecretsDir      string           // one file per secret, named as the secret; empty: steps that name secrets fail
	EnvAllow        []string         // names of the host's environment that programs inherit; nil: PATH, HOME, LANG, TZ
	Tickets         Tickets          // opens issues; nil: steps of kind ticket fail
	Workflows       Workflows        // starts workflows; nil: steps of kind actions fail
	PrivateNetworks bool             // allow steps that connect by themselves, such as http and notify, to reach private and loopback addresses
	LogLimit        int              // bytes kept of each stream, half from its head and half from its tail; 64 KiB
	OutputLimit     int              // bytes of the largest output or probe answer; 256 KiB
	Now             func() time.Time // for Outcome.Started, Outcome.Ended and the probe's log; time.Now
}

const (
	logLimit    = 64 << 10
	outputLimit = 256 << 10
	// grace is how long a program may take between SIGTERM and SIGKILL, and how long its streams may stay open after
	// it has ended.
	grace = 2 * time.Second
	// tryTimeout bounds one request of a probe, so that one that hangs does not use up the step's time.
	tryTimeout = 10 * time.Second
)

// Runner performs jobs. Its methods may be called at the same time.
type Runner struct {
	cfg     Config
	scratch *scratch
	// resolver is nil, which is the system's, except in tests of answers that change.
	resolver *net.Resolver
	// roots are those of the system when nil, except in tests of mail servers with their own.
	roots             *x509.CertPool
	grace, tryTimeout time.Duration
}

// Job is one attempt of one step.
type Job struct {
	Key       string // of the attempt, see runbook.AttemptKey; HTTP requests that change things carry it
	Incident  string
	PullURL   string // of the incident's pull request, for people; may be empty
	Step      string
	Attempt   int // from 1
	Kind      runbook.Kind
	Work      json.RawMessage     // as runbook.Work.Run
	Timeout   time.Duration       // of this attempt; must be positive
	Rehearse  bool                // find out what it would do, and do nothing
	Once      bool                // a probe asks once: what it would wait for is not done
	Rehearsal json.RawMessage     // what its rehearsal put out; nil when there was none
	Keep      string              // what the runner keeps between attempts goes with it: see Forget
	Workflow  string              // blob id of the file of the workflow that it runs, hex
	HasOutput bool                // the step declares an output: its result must be one JSON object
	Alert     json.RawMessage     // as schema.#Alert; nil when there is none
	Files     map[string]FileData // by path in the ledger
	Pins      []runbook.File      // what Files must be, exactly
}

// FileData is the content of one file of the ledger.
type FileData struct {
	Data []byte
	Exec bool
}

// Until decides whether a probe's condition holds for an answer, which is {"status": int, "headers": {name: text},
// "body": JSON value, or a string when it is no JSON}. Header names are in their canonical form (Content-Type).
// An error means that the answer does not have the shape that the condition needs; the probe remembers it and goes on.
type Until func(ctx context.Context, answer json.RawMessage) (bool, error)

// New makes a runner. It ends what killed predecessors left running and removes what they left below cfg.Dir. Close releases it.
func New(cfg Config) (*Runner, error) {
	if cfg.Dir == "" {
		return nil, errors.New("start the step runner: no scratch directory given")
	}
	if cfg.LogLimit < 0 || cfg.OutputLimit < 0 {
		return nil, errors.New("start the step runner: a limit is negative")
	}
	if cfg.EnvAllow == nil {
		cfg.EnvAllow = []string{"PATH", "HOME", "LANG", "TZ"}
	}
	if cfg.LogLimit == 0 {
		cfg.LogLimit = logLimit
	}
	if cfg.OutputLimit == 0 {
		cfg.OutputLimit = outputLimit
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the step runner in %s: %w", cfg.Dir, err)
	}
	s, err := openScratch(dir)
	if err != nil {
		return nil, fmt.Errorf("start the step runner: %w", err)
	}
	return &Runner{cfg: cfg, scratch: s, grace: grace, tryTimeout: tryTimeout}, nil
}

// Ended is how many processes New ended: what was left of attempts that were under way when the engine was killed.
func (r *Runner) Ended() int { return r.scratch.ended }

// Close removes the runner's scratch directory. No Run may be under way.
func (r *Runner) Close() error { return r.scratch.close() }

// Run performs one attempt and says how it ended. It returns soon after ctx ends. The until of a job that is no probe
// is not used and may be nil.
func (r *Runner) Run(ctx context.Context, job Job, until Until) runbook.Outcome {
	started := r.cfg.Now()
	a := &attempt{Runner: r, job: job, until: until, facts: map[string]string{}, log: newCapture(r.cfg.LogLimit, 0)}
	res := a.run(ctx)
	return runbook.Outcome{
		Key: job.Key, Step: job.Step, Attempt: job.Attempt,
		Conclusion: res.conclusion, Started: started, Ended: r.cfg.Now(),
		Output: res.output, Log: a.log.text(a.veil), Cut: a.cuts, Facts: a.coveredFacts(),
		Error: a.veil.line(res.problem), Run: res.run,
	}
}

// attempt is one Run under way.
type attempt struct {
	*Runner
	job     Job
	until   Until
	secrets []secret
	veil    veil
	log     *capture
	cuts    []runbook.Cut
	facts   map[string]string
}

// result is how an attempt ended. A conclusion other than Succeeded has a problem: one sentence.
type result struct {
	conclusion runbook.Conclusion
	output     []byte
	problem    string
	run        *runbook.WorkflowRun // where it goes on
}

func failed(format string, args ...any) result {
	return result{conclusion: runbook.Failed, problem: fmt.Errorf(format, args...).Error()}
}

// stepContext ends with the caller's context or when the step's time is over.
type stepContext struct {
	context.Context
	caller  context.Context
	timeout time.Duration
}

// ended is the result of an attempt that was stopped by its context. Why it was stopped is asked of the caller's context,
// so that the end of the step's time is not mistaken for a cancellation. The detail may be empty.
func (c stepContext) ended(detail string) result {
	if detail != "" {
		detail = ": " + detail
	}
	if c.caller.Err() != nil {
		return result{conclusion: runbook.Cancelled, problem: "cancelled" + detail}
	}
	return result{conclusion: runbook.TimedOut, problem: fmt.Sprintf("not done within %s%s", runbook.Span(c.timeout), detail)}
}

func (a *attempt) run(caller context.Context) result {
	if a.job.Timeout <= 0 {
		return failed("step %s has no timeout", a.job.Step)
	}
	work, err := performerOf(a.job.Kind, a.job.Work)
	if err != nil {
		return failed("step %s: %w", a.job.Step, err)
	}
	if a.secrets, err = readSecrets(a.cfg.SecretsDir, work.names()); err != nil {
		return failed("%w", err)
	}
	a.veil = newVeil(a.secrets)
	a.log = newCapture(a.cfg.LogLimit, a.veil.margin)
	inner, cancel := context.WithTimeout(caller, a.job.Timeout)
	defer cancel()
	ctx := stepContext{Context: inner, caller: caller, timeout: a.job.Timeout}
	if ctx.Err() != nil {
		return ctx.ended("before it was started")
	}
	return a.withoutSecrets(a.do(ctx, work))
}

// withoutSecrets refuses an output that holds a secret: covering a value that later steps use would only corrupt it.
func (a *attempt) withoutSecrets(res result) result {
	if name, found := a.veil.names(string(res.output)); found {
		return failed("output of step %s holds the secret %s: nothing of it was kept", a.job.Step, name)
	}
	return res
}

// asOutput checks that data is one JSON object within the bound.
func (a *attempt) asOutput(name string, data []byte, whole bool) ([]byte, error) {
	if !whole || len(data) > a.cfg.OutputLimit {
		return nil, fmt.Errorf("%s is larger than the %d bytes an output may have", name, a.cfg.OutputLimit)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s is not one JSON object: it is not UTF-8", name)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("%s is not one JSON object: %w", name, err)
	}
	if object == nil {
		return nil, fmt.Errorf("%s is not one JSON object: it is null", name)
	}
	return data, nil
}

func (a *attempt) noteCut(name string, c *capture) {
	if cut, ok := c.cut(name); ok {
		a.cuts = append(a.cuts, cut)
	}
}

func (a *attempt) coveredFacts() map[string]string {
	out := maps.Clone(a.facts)
	for k, v := range out {
		out[k] = a.veil.line(v)
	}
	return out
}

// ownerOnly: what steps use and leave behind is nobody else's business.
const ownerOnly os.FileMode = 0o700

// line makes foreign text fit for one line of a sentence: covered, without controls, at most 1 KiB.
func (v veil) line(s string) string {
	const longest = 1 << 10
	return strings.ReplaceAll(head(v.cover(clean(s)), longest), "\n", " ")
}
