package step

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// program is the work of an exec: a program without a shell.
type program struct {
	named
	Command  []string          `json:"command"`  // argv; a first element that starts with ./ is a file of the ledger
	Rehearse []string          `json:"rehearse"` // of a rehearsal: what it runs, in place of the command
	Env      map[string]string `json:"env"`      // added to the allow-list of the host's environment
	Stdin    string            `json:"stdin"`
	Files    []string          `json:"files"` // pinned: they are among the job's files
}

// Exec is the kind that runs a program.
func (kinds) Exec() performer { return new(program) }

// perform runs a program. Its facts are exit_status (a number, or what ended it), executable (a host's absolute path, or
// ./ and the path in the ledger), executable_sha256, and where they apply strays_killed and left_behind.
func (w *program) perform(ctx stepContext, a *attempt) (res result) {
	b, cmd, clear, err := w.prepare(a, w.Command)
	if err != nil {
		return failed("%w", err)
	}
	defer clear()
	if !a.job.HasOutput {
		res = a.supervise(ctx, b.place, cmd, []sink{{into: a.log, from: []*io.Writer{&cmd.Stdout, &cmd.Stderr}}})
		a.noteCut("log", a.log)
		return res
	}
	stdout := newCapture(a.cfg.OutputLimit, a.veil.margin)
	res = a.supervise(ctx, b.place, cmd, []sink{
		{into: stdout, from: []*io.Writer{&cmd.Stdout}},
		{into: a.log, from: []*io.Writer{&cmd.Stderr}},
	})
	a.noteCut("stdout", stdout)
	res = a.withStdout(res, stdout)
	a.noteCut("log", a.log)
	return res
}

// rehearse runs the command that finds out what the program would do. What it writes, to either output, is what people see. It
// cannot say that nothing would change: every tool has a way of its own to say so.
func (w *program) rehearse(ctx stepContext, a *attempt) (res result) {
	if len(w.Rehearse) == 0 {
		return failed("an exec that does not say how cannot be rehearsed")
	}
	b, cmd, clear, err := w.prepare(a, w.Rehearse)
	if err != nil {
		return failed("%w", err)
	}
	defer clear()
	shown := newCapture(a.cfg.OutputLimit/2, a.veil.margin)
	res = a.supervise(ctx, b.place, cmd, []sink{{into: shown, from: []*io.Writer{&cmd.Stdout, &cmd.Stderr}}})
	a.noteCut("stdout", shown)
	text := "$ " + a.veil.cover(strings.Join(w.Rehearse, " ")) + "\n" + shown.text(a.veil)
	fmt.Fprint(a.log, text)
	a.noteCut("log", a.log)
	if res.conclusion != runbook.Succeeded {
		return res
	}
	return a.withOutput(rehearsed{Changes: true, Text: text})
}

// prepare makes ready to run a command of the program. clear, which is nil after an error, takes all of it away again.
func (w *program) prepare(a *attempt, argv []string) (b *bench, cmd *exec.Cmd, clear func(), err error) {
	if len(argv) == 0 {
		return nil, nil, nil, errors.New("the command is empty")
	}
	if b, err = a.bench(w.Env); err != nil {
		return nil, nil, nil, err
	}
	if cmd, err = b.command(w, argv); err != nil {
		b.clear()
		return nil, nil, nil, err
	}
	return b, cmd, func() {
		if file, ok := cmd.Stdin.(*os.File); ok {
			file.Close()
		}
		b.clear()
	}, nil
}

// withStdout makes the standard output of a program that succeeded the step's output. Of one that did not, it is
// something to read: it goes to the log.
func (a *attempt) withStdout(res result, stdout *capture) result {
	if res.conclusion == runbook.Succeeded {
		data, whole := stdout.all()
		output, err := a.asOutput("standard output", data, whole)
		if err == nil {
			res.output = output
			return res
		}
		res = failed("%w", err)
	}
	if stdout.size > 0 {
		fmt.Fprintf(a.log, "\n[standard output]\n%s", stdout.start())
	}
	return res
}

// command prepares the program with its environment and its standard input: what the author wrote, or the alert.
func (b *bench) command(w *program, argv []string) (*exec.Cmd, error) {
	file, err := b.program(b.place, argv[0])
	if err != nil {
		return nil, err
	}
	if b.facts["executable_sha256"], err = digestFile(file); err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: file, Args: argv, Dir: b.place.work, Env: b.env, SysProcAttr: ownGroup()}
	stdin := b.alert
	if w.Stdin != "" {
		if stdin, err = b.place.write("stdin", []byte(w.Stdin)); err != nil {
			return nil, err
		}
	}
	if stdin != "" {
		f, err := b.input(stdin)
		if err != nil {
			return nil, err
		}
		cmd.Stdin = f
	}
	return cmd, nil
}

// program finds the file to run. A name with a slash that is neither absolute nor a file of the ledger is refused: it
// would depend on where the engine was started.
func (a *attempt) program(p place, name string) (string, error) {
	a.facts["executable"] = name
	if rel, ok := strings.CutPrefix(name, "./"); ok {
		f, given := a.job.Files[rel]
		if !given {
			return "", fmt.Errorf("run %s: it is not among the step's files", name)
		}
		if !f.Exec {
			return "", fmt.Errorf("run %s: it is not executable in the ledger", name)
		}
		return filepath.Join(p.work, filepath.FromSlash(rel)), nil
	}
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		return "", fmt.Errorf("run %q: want a name, an absolute path, or ./ and a path in the ledger", name)
	}
	file, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find the program: %w", err)
	}
	a.facts["executable"] = file
	return file, nil
}

func digestFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read the program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// environment is, with the later winning: what the host gives, TMPDIR, the step's own, its secrets, the engine's.
func (a *attempt) environment(p place, own map[string]string, alert string) ([]string, error) {
	var env []string
	for _, name := range a.cfg.EnvAllow {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env, "TMPDIR="+p.tmp)
	for name, value := range own {
		if name == "" || strings.Contains(name, "=") || strings.HasPrefix(name, reservedPrefix) {
			return nil, fmt.Errorf("environment variable %q: the name is empty, holds =, or starts with %s", name, reservedPrefix)
		}
		env = append(env, name+"="+value)
	}
	for _, s := range a.secrets {
		env = append(env, s.name+"="+s.value)
	}
	env = append(env,
		"PULLBOOK_INCIDENT="+a.job.Incident,
		"PULLBOOK_STEP="+a.job.Step,
		"PULLBOOK_ATTEMPT="+strconv.Itoa(a.job.Attempt),
		"PULLBOOK_KEY="+a.job.Key,
		mark(p.dir))
	if alert != "" {
		env = append(env, "PULLBOOK_ALERT_FILE="+alert)
		env = append(env, safeAlert(a.job.Alert)...)
	}
	return env, nil
}

// mark is the variable by which everything that an attempt started can be told from the rest of the host.
func mark(dir string) string { return reservedPrefix + "DIR=" + dir }

// safeWord is what a name or an id looks like that no program and no shell takes for anything else.
var safeWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$`)

// safeAlert gives the alert's name, source, status and fingerprint as variables, each only if it is a safe word.
func safeAlert(alert json.RawMessage) []string {
	var says struct {
		Name, Source, Status, Fingerprint string
	}
	if json.Unmarshal(alert, &says) != nil {
		return nil
	}
	var env []string
	add := func(name, value string) {
		if safeWord.MatchString(value) {
			env = append(env, reservedPrefix+"ALERT_"+name+"="+value)
		}
	}
	add("NAME", says.Name)
	add("SOURCE", says.Source)
	add("STATUS", says.Status)
	add("FINGERPRINT", says.Fingerprint)
	return env
}
