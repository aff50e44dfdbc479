package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Repos is a directory of bare repositories, one for each that the store knows.
type Repos struct {
	MaxCommits int // of a pull request that are listed; 0 is the constant of that name, negative is all

	dir    string
	store  *state.Store
	logger *slog.Logger

	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// New uses dir, which must exist, for the repositories of the store.
func New(dir string, store *state.Store, logger *slog.Logger) *Repos {
	return &Repos{dir: dir, store: store, logger: logger, locks: map[string]*sync.Mutex{}}
}

// path is where a repository lies. Owner and name come from the store, never from a request, so they are plain names.
func (g *Repos) path(repo string) string {
	return filepath.Join(g.dir, strings.ToLower(repo)+".git")
}

func (g *Repos) lock(repo string) func() {
	g.mu.Lock()
	l, ok := g.locks[strings.ToLower(repo)]
	if !ok {
		l = &sync.Mutex{}
		g.locks[strings.ToLower(repo)] = l
	}
	g.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// begin locks a repository for a change. A change that has begun is carried out although its client goes away: git that
// is killed between two files leaves locks behind, and a ref that moved must be told to the state.
func (g *Repos) begin(ctx context.Context, repo string) (context.Context, func()) {
	unlock := g.lock(repo)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	return ctx, func() {
		cancel()
		unlock()
	}
}

// changeTimeout bounds a change.
const changeTimeout = time.Minute

// A failure is git's exit status with what it said.
type failure struct {
	args   []string
	code   int
	stderr string
}

func (f *failure) Error() string {
	return fmt.Sprintf("git %s: exit status %d: %s", f.args[0], f.code, strings.TrimSpace(f.stderr))
}

// environ is what git sees: nobody's configuration, no prompt, one language.
func (g *Repos) environ(extra ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
	}
	return append(env, extra...)
}

// command prepares git for one repository; it is told to stop when the context ends.
func (g *Repos) command(ctx context.Context, repo string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = g.path(repo)
	cmd.Env = g.environ("GIT_DIR=" + cmd.Dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // on which git removes its lock files
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (g *Repos) git(ctx context.Context, repo string, args ...string) ([]byte, error) {
	return g.gitInput(ctx, repo, nil, args...)
}

func (g *Repos) gitInput(ctx context.Context, repo string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := g.command(ctx, repo, args...)
	return output(cmd, stdin, args)
}

func output(cmd *exec.Cmd, stdin io.Reader, args []string) ([]byte, error) {
	var out, errText bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errText
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.Bytes(), &failure{args, exit.ExitCode(), errText.String()}
	}
	if err != nil {
		return nil, fmt.Errorf("run git %s: %w", args[0], err)
	}
	return out.Bytes(), nil
}

// exited tells git's own exit status from a git that could not run.
func exited(err error, code int) bool {
	var f *failure
	return errors.As(err, &f) && f.code == code
}

// A First is the first commit of a repository.
type First struct {
	Branch      string
	Name, Email string
	Directory   string            // its files go in first
	Files       map[string]string // path to content
	Message     string
}

// settings is the configuration of each repository: partial clones and any commit by its id may be fetched, pull refs may
// not be pushed, and nothing is collected behind a push's back.
const settings = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = false
	hooksPath = ` + os.DevNull + `
[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	hideRefs = refs/pull
	autogc = false
[gc]
	auto = 0
`

// Create makes the bare repository and its first commit. A repository that is already there keeps its branches. To a
// new state its pull refs mean nothing: they are dropped, and their numbers are not used again.
func (g *Repos) Create(ctx context.Context, repo string, first First) error {
	switch _, err := os.Stat(filepath.Join(g.path(repo), "HEAD")); {
	case err == nil && g.store.Fresh():
		return g.adopt(ctx, repo)
	case err == nil:
		return g.Repair(ctx, repo)
	}
	// Whoever is killed on the way leaves a name that no repository can have, not half a repository.
	draft := repo + "~new"
	if err := os.RemoveAll(g.path(draft)); err != nil {
		return fmt.Errorf("clear the directory of %s: %w", repo, err)
	}
	if err := g.create(ctx, draft, first); err != nil {
		return err
	}
	if err := os.Rename(g.path(draft), g.path(repo)); err != nil {
		return fmt.Errorf("create %s: %w", repo, err)
	}
	return nil
}

func (g *Repos) create(ctx context.Context, repo string, first First) error {
	path := g.path(repo)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("make the directory of %s: %w", repo, err)
	}
	if _, err := g.git(ctx, repo, "init", "--quiet", "--bare", "--initial-branch="+first.Branch, path); err != nil {
		return fmt.Errorf("create %s: %w", repo, err)
	}
	if err := os.WriteFile(filepath.Join(path, "config"), []byte(settings), 0o644); err != nil {
		return fmt.Errorf("configure %s: %w", repo, err)
	}
	if first.Directory == "" && len(first.Files) == 0 {
		return nil
	}
	if err := g.firstCommit(ctx, repo, first); err != nil {
		return fmt.Errorf("write the first commit of %s: %w", repo, err)
	}
	return nil
}

func (g *Repos) adopt(ctx context.Context, repo string) error {
	refs, err := g.Refs(ctx, repo, "refs/pull/")
	if err != nil {
		return err
	}
	var last int
	var drop strings.Builder
	for _, r := range refs {
		number, _, _ := strings.Cut(strings.TrimPrefix(r.Name, "refs/pull/"), "/")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
		fmt.Fprintf(&drop, "delete %s\n", r.Name)
	}
	if _, err := g.gitInput(ctx, repo, strings.NewReader(drop.String()), "update-ref", "--stdin"); err != nil {
		return fmt.Errorf("drop the old pull refs of %s: %w", repo, err)
	}
	return g.store.StartAfter(repo, last)
}

// firstCommit builds the commit with an index and a work tree that are thrown away.
func (g *Repos) firstCommit(ctx context.Context, repo string, first First) error {
	tmp, err := g.scratchTree("seed-")
	if err != nil {
		return fmt.Errorf("make a work tree: %w", err)
	}
	defer os.RemoveAll(tmp)
	tree := filepath.Join(tmp, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return fmt.Errorf("make a work tree: %w", err)
	}
	if first.Directory != "" {
		if err := os.CopyFS(tree, os.DirFS(first.Directory)); err != nil {
			return fmt.Errorf("copy %s: %w", first.Directory, err)
		}
	}
	if err := writeFiles(tree, first.Files); err != nil {
		return err
	}
	run := func(args ...string) ([]byte, error) {
		cmd := g.command(ctx, repo, args...)
		cmd.Dir = tree
		when := strconv.FormatInt(g.store.Now().Unix(), 10) + " +0000"
		cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+tree, "GIT_INDEX_FILE="+filepath.Join(tmp, "index"),
			"GIT_AUTHOR_NAME="+first.Name, "GIT_AUTHOR_EMAIL="+first.Email, "GIT_AUTHOR_DATE="+when,
			"GIT_COMMITTER_NAME="+first.Name, "GIT_COMMITTER_EMAIL="+first.Email, "GIT_COMMITTER_DATE="+when)
		return output(cmd, nil, args)
	}
	if _, err := run("add", "--all", "--force", "."); err != nil {
		return err
	}
	id, err := run("write-tree")
	if err != nil {
		return err
	}
	commit, err := run("commit-tree", "-m", first.Message, strings.TrimSpace(string(id)))
	if err != nil {
		return err
	}
	_, err = run("update-ref", "refs/heads/"+first.Branch, strings.TrimSpace(string(commit)))
	return err
}

func writeFiles(tree string, files map[string]string) error {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return fmt.Errorf("open the work tree: %w", err)
	}
	defer root.Close()
	for name, content := range files {
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := root.WriteFile(name, []byte(content), mode); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// CheckVersion refuses a git that is absent or too old to merge without a work tree (2.38).
func CheckVersion(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "git", "version").Output()
	if err != nil {
		return fmt.Errorf("run git: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		return fmt.Errorf("read git's version %q: %w", strings.TrimSpace(string(out)), err)
	}
	if major < 2 || (major == 2 && minor < 38) {
		return fmt.Errorf("git %d.%d is too old: the hub needs 2.38 or later", major, minor)
	}
	return nil
}
