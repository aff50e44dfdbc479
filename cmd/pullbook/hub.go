package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/localhub"
)

type hubFlags struct {
	dir, listen, seed string
	verbose           bool
}

func hubCommand() *cobra.Command {
	var f hubFlags
	cmd := &cobra.Command{
		Use:   "hub",
		Short: "Serve a GitHub on localhost, for rehearsals and tests",
		Long: `Hub serves repositories, pull requests, reviews, checks and webhooks as GitHub does,
well enough for GitHub's own clients: REST below /api/v3, git at
/{owner}/{repo}.git, pages at /{owner}/{repo}/pull/{n}. People, Apps and
repositories come from a seed file (see engine/localhub/README.md). It is not meant
for the internet.`,
		Example: "  pullbook hub --dir /tmp/hub --listen 127.0.0.1:8490 --seed seed.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runHub(cmd, f) },
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", "directory for the repositories")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8490", "address to listen on")
	cmd.Flags().StringVar(&f.seed, "seed", "", "seed file (JSON)")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log requests and deliveries")
	return cmd
}

func runHub(cmd *cobra.Command, f hubFlags) error {
	if f.dir == "" || f.seed == "" {
		return usageError{errors.New("--dir and --seed are needed")}
	}
	seed, err := localhub.ReadSeed(f.seed)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	hub, err := localhub.Open(localhub.Config{Dir: f.dir, Seed: seed, Logger: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return errors.Join(withHint(fmt.Errorf("listen: %w", err), "--listen takes another address"), hub.Close())
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: local hub on http://%s (REST at /api/v3); not meant for the internet\n", listener.Addr())
	server := &http.Server{Handler: hub.Handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-cmd.Context().Done():
		err = server.Close()
	}
	return errors.Join(err, hub.Close())
}
