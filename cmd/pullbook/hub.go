package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/limits"
)

type hubFlags struct {
	dir, listen, seed, limits string
	verbose                   bool
}

func hubCommand() *cobra.Command {
	var f hubFlags
	cmd := &cobra.Command{
		Use:   "hub",
		Short: "Serve a GitHub on localhost, for rehearsals and tests",
		Long: `Hub serves repositories, pull requests, reviews, checks and webhooks as GitHub does,
well enough for GitHub's own clients: REST below /api/v3, GraphQL at /api/graphql, git
at /{owner}/{repo}.git, pages at /{owner}/{repo}/pull/{n}. People, Apps and
repositories come from a seed file (see engine/localhub/README.md), which fills an
empty --dir. A directory that a hub has filled is taken up again where that hub ended;
the seed must then be the same or left out. It is not meant for the internet.

gh works with it in a shell that has

  export http_proxy=http://127.0.0.1:8490 GH_HOST=github.localhost GH_TOKEN=...

where GH_TOKEN is the token that the seed gives a person.

--limits is off, github (what GitHub documents), or either with changes behind it:
primary, points, graphql-points, concurrent, content, content-hour, pushes (numbers, 0
for none) and write-gap (a duration); and, which hold even when off, text (characters of
a body, 65536) and commits (in the list of a pull request, 250).`,
		Example: `  pullbook hub --dir /tmp/hub --listen 127.0.0.1:8490 --seed seed.json
  pullbook hub --dir /tmp/hub --limits github,write-gap=0s,content=20`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runHub(cmd, f) },
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", "directory that keeps everything")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8490", "address to listen on")
	cmd.Flags().StringVar(&f.seed, "seed", "", "seed file (JSON), for an empty directory")
	cmd.Flags().StringVar(&f.limits, "limits", "off", "rate limits: off or github, and changes such as github,content=20")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log requests and deliveries")
	return cmd
}

func runHub(cmd *cobra.Command, f hubFlags) error {
	seed, rates, err := f.read()
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	hub, err := localhub.Open(localhub.Config{Dir: f.dir, Seed: seed, Limits: rates, Logger: log})
	if _, changed := errors.AsType[*localhub.SeedChanged](err); changed {
		return withHint(err, "without --seed the hub goes on with what "+f.dir+" has; to begin again name another --dir")
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return errors.Join(withHint(fmt.Errorf("listen: %w", err), "--listen takes another address"), hub.Close())
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: local hub on http://%s (REST at /api/v3); not meant for the internet\n", listener.Addr())
	if to, ok := listener.Addr().(*net.TCPAddr); ok && !to.IP.IsLoopback() {
		fmt.Fprintln(cmd.ErrOrStderr(), "pullbook: warning: other machines reach this hub, whose tokens stand in a file and whose traffic is not encrypted")
	}
	server := &http.Server{Handler: hub.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-cmd.Context().Done():
		err = server.Close()
	}
	return errors.Join(err, hub.Close())
}

// read checks the flags. A directory that has a state needs no seed.
func (f hubFlags) read() (seed localhub.Seed, l limits.Limits, err error) {
	if f.dir == "" {
		return seed, l, usageError{errors.New("--dir is needed")}
	}
	if l, err = limits.Parse(f.limits); err != nil {
		return seed, l, usageError{fmt.Errorf("--limits: %w", err)}
	}
	if f.seed != "" {
		seed, err = localhub.ReadSeed(f.seed)
		return seed, l, err
	}
	if _, err := os.Stat(filepath.Join(f.dir, localhub.StateFile)); err != nil {
		return seed, l, usageError{fmt.Errorf("--seed is needed: no hub has filled %s yet", f.dir)}
	}
	return seed, l, nil
}
