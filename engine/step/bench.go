package step

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// bench is the directory of an attempt with the step's files in it, and what programs that run there find in their
// environment.
type bench struct {
	*attempt
	place place
	env   []string
	alert string // path of the alert's file; empty when there is none
}

// bench lays the step's files out, which must be the pinned ones. The caller must clear it.
func (a *attempt) bench(own map[string]string) (b *bench, err error) {
	if err := checkPins(a.job.Files, a.job.Pins); err != nil {
		return nil, err
	}
	b = &bench{attempt: a}
	if b.place, err = a.scratch.place(); err != nil {
		return nil, err
	}
	if err := b.lay(own); err != nil {
		b.clear()
		return nil, err
	}
	return b, nil
}

func (b *bench) lay(own map[string]string) (err error) {
	if err := b.place.materialise(b.job.Files); err != nil {
		return err
	}
	if len(b.job.Alert) > 0 {
		if b.alert, err = b.place.write("alert.json", b.job.Alert); err != nil {
			return err
		}
	}
	b.env, err = b.environment(b.place, own, b.alert)
	return err
}

// clear removes the directory. What cannot be removed is a fact of the attempt.
func (b *bench) clear() {
	if err := removeTree(b.place.dir); err != nil {
		b.facts["left_behind"] = err.Error()
	}
}

// tool finds a program of the host and notes which it is. The hint says what to do where it is missing.
func (b *bench) tool(name, hint string) (string, error) {
	file, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find %s on this runner: %w; %s", name, err, hint)
	}
	b.facts["executable"] = file
	b.facts["executable_sha256"], err = digestFile(file)
	return file, err
}

// run runs a program in a directory of the ledger's files and waits until it and its process group have ended. Its
// standard error is the log; so is its standard output, unless that goes to out. Its standard input is empty.
func (b *bench) run(ctx stepContext, dir string, out io.Writer, command ...string) result {
	cmd := &exec.Cmd{Path: command[0], Args: command, Dir: filepath.Join(b.place.work, filepath.FromSlash(dir)), Env: b.env, SysProcAttr: ownGroup()}
	if out == nil {
		return b.supervise(ctx, b.place, cmd, []sink{{into: b.log, from: []*io.Writer{&cmd.Stdout, &cmd.Stderr}}})
	}
	return b.supervise(ctx, b.place, cmd, []sink{{into: out, from: []*io.Writer{&cmd.Stdout}}, {into: b.log, from: []*io.Writer{&cmd.Stderr}}})
}

// input opens a file as a program's standard input. A file, so that a program that does not read it keeps nobody waiting.
func (b *bench) input(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the step's standard input: %w", err)
	}
	return f, nil
}
