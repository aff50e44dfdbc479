package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// A command is what a push asks of one ref (gitprotocol-pack(5), "Reference Update Request").
type command struct{ before, after, ref string }

// maxCommands bounds the refs of one push; GitHub's own bound is not published.
const maxCommands = 1000

// maxBegin bounds what comes before a pack: the commands, and where a client's shallow history ends.
const maxBegin = 4 << 20

// readCommands reads the commands at the beginning of a push up to the packet that ends them, and writes them anew for
// git: the rules are asked about these commands, so git must not find any others in the client's bytes.
func readCommands(in io.Reader) (list []command, written []byte, err error) {
	refuse := func(message string) ([]command, []byte, error) {
		return nil, nil, &state.Refusal{Status: http.StatusBadRequest, Message: message}
	}
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return refuse("The push ended early.")
		}
		n, err := strconv.ParseUint(string(size[:]), 16, 16)
		switch {
		case err != nil, n > 0 && n < 5:
			return refuse("The push is malformed.")
		case n == 0:
			return list, append(written, packet(nil)...), nil
		case len(list) == maxCommands, len(written) > maxBegin:
			return refuse("The push updates too many refs.")
		}
		line := make([]byte, n-4)
		if _, err := io.ReadFull(in, line); err != nil {
			return refuse("The push ended early.")
		}
		text, abilities, told := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\x00")
		f := strings.Split(text, " ")
		switch {
		case f[0] == "push-cert":
			return refuse("Signed pushes are not supported.")
		case len(f) == 2 && f[0] == "shallow" && IsID(f[1]): // the client's own history ends there
		case len(f) == 3 && IsID(f[0]) && IsID(f[1]) && !strings.Contains(f[2], "\n"):
			list = append(list, command{f[0], f[1], f[2]})
		default:
			return refuse("The push is malformed.")
		}
		if told {
			text += "\x00" + abilities
		}
		written = append(written, packet([]byte(text))...)
	}
}

// scratchDir is where files lie while a change is made; no account has a name that begins with a dot.
const scratchDir = ".scratch"

func (g *Repos) scratch() (string, error) {
	dir := filepath.Join(g.dir, scratchDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a directory for unfinished files: %w", err)
	}
	return dir, nil
}

func (g *Repos) scratchFile(prefix string) (*os.File, error) {
	dir, err := g.scratch()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return nil, fmt.Errorf("make an unfinished file: %w", err)
	}
	return f, nil
}

func (g *Repos) scratchTree(prefix string) (string, error) {
	dir, err := g.scratch()
	if err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(dir, prefix)
	if err != nil {
		return "", fmt.Errorf("make an unfinished directory: %w", err)
	}
	return made, nil
}

// scratchIndex runs git commands over an index of their own, until it is removed.
func (g *Repos) scratchIndex(ctx context.Context, repo string) (run func(stdin []byte, args ...string) (string, error), remove func(), err error) {
	dir, err := g.scratchTree("index-")
	if err != nil {
		return nil, nil, fmt.Errorf("make an index: %w", err)
	}
	run = func(stdin []byte, args ...string) (string, error) {
		cmd := g.command(ctx, repo, args...)
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+filepath.Join(dir, "index"))
		out, err := output(cmd, bytes.NewReader(stdin), args)
		return strings.TrimSpace(string(out)), err
	}
	return run, func() { _ = os.RemoveAll(dir) }, nil // what is left of it goes at the next start
}

// Sweep removes the unfinished files of a hub that was killed, and the lock files of the git that was killed with it, for
// which a ref could never be moved again. No other may work on the directory.
func (g *Repos) Sweep() error {
	if err := os.RemoveAll(filepath.Join(g.dir, scratchDir)); err != nil {
		return fmt.Errorf("remove unfinished files: %w", err)
	}
	err := filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "objects":
			return fs.SkipDir
		case d.Type().IsRegular() && strings.HasSuffix(path, ".lock"):
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove lock files: %w", err)
	}
	return nil
}

// spool keeps a push on disk until all of it is there, so that a client that sends slowly, or stops, holds up nobody.
func (g *Repos) spool(begin []byte, rest io.Reader) (*os.File, error) {
	f, err := g.scratchFile("push-")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(begin)
	if err == nil {
		if _, read := io.Copy(f, rest); read != nil {
			err = readFault(read)
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep a push: %w", err), unspool(f))
	}
	return f, nil
}

func unspool(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// readFault tells a client that sent too much, or not all, from a disk that failed.
func readFault(err error) error {
	var large *http.MaxBytesError
	var disk *os.PathError
	switch {
	case errors.As(err, &large):
		return &state.Refusal{Status: http.StatusRequestEntityTooLarge, Message: "The push is too large."}
	case errors.As(err, &disk):
		return err
	}
	return &state.Refusal{Status: http.StatusBadRequest, Message: "The push ended early."}
}
