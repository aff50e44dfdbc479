// Package postgrestest starts a PostgreSQL server of its own for a test, from the programs that are installed, and removes it
// afterwards. It listens on loopback, trusts whoever comes from there, and does not wait for the disk unless it is told to.
package postgrestest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Server is a running server.
type Server struct {
	URL string // of its database postgres, as a superuser

	bin, dir string
	as       []string // words before a program, so that it runs as the servers' user
}

// Start starts a server, or skips the test where PostgreSQL is not installed. As root it runs as the user postgres, since
// PostgreSQL refuses root.
func Start(t testing.TB) *Server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Skip("PostgreSQL is not installed")
	}
	s := &Server{bin: filepath.Dir(found[len(found)-1])}
	if os.Geteuid() == 0 {
		s.as = []string{"runuser", "-u", "postgres", "--"}
	}
	if s.dir, err = os.MkdirTemp("/tmp", "pullbook-inbox-"); err != nil { // the user postgres may not enter the test's own
		t.Fatal(err)
	}
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(s.dir, "data")
	t.Cleanup(func() {
		_ = s.command("pg_ctl", "-D", data, "-m", "immediate", "stop").Run() // it may not have started
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	s.run(t, "initdb", "-N", "-A", "trust", "-U", "postgres", "-D", data)
	s.run(t, "pg_ctl", "-D", data, "-w", "-l", filepath.Join(s.dir, "log"),
		"-o", fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=", port), "start")
	s.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return s
}

// Restart stops the server at once, as a crash does, and starts it again: every connection is lost.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.run(t, "pg_ctl", "-D", filepath.Join(s.dir, "data"), "-w", "-m", "immediate", "-l", filepath.Join(s.dir, "log"), "restart")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	words := append(append(append([]string{}, s.as...), filepath.Join(s.bin, name)), args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "/"
	return cmd
}

// run runs a program. Its output goes to a file: a server that it starts keeps it open.
func (s *Server) run(t testing.TB, name string, args ...string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := s.command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, readErr := os.ReadFile(out.Name())
		t.Fatal(errors.Join(fmt.Errorf("%s: %w\n%s", name, err, text), readErr))
	}
}
