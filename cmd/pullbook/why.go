package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

const (
	longestAnswer = 64 << 10 // bytes
	whyTime       = 30 * time.Second
)

// whyHandler explains what a step waits for: GET with the parameters incident and step.
func (svc *service) whyHandler(token []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admitted(w, r, http.MethodGet, token) {
			return
		}
		id, err := incident.ParseID(r.URL.Query().Get("incident"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), whyTime)
		defer cancel()
		text, err := svc.engine.Why(ctx, id, r.URL.Query().Get("step"))
		switch {
		case errors.Is(err, engine.ErrNotOpen):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			svc.log.Error("cannot explain a step", "incident", id, "error", err)
			http.Error(w, "the hub or the ledger did not answer; try again", http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
			_, _ = io.WriteString(w, text) // a client that is gone reads no answer
		}
	})
}

func whyCommand() *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "why <incident> <step>",
		Short: "Explain what a step waits for",
		Long: `Why asks a running engine what a step of an open incident waits for: who has approved,
who still can, why a review does not count, and what happens by itself and when. It says
the same as the pull request's body and the check, as the hub is now.

Exit status: 0 explained, 1 there is no such step or nobody answers, 2 wrong usage.`,
		Example: `  pullbook why 20261122-k3jq5zabcd failover`,
		Args:    takes("<incident>", "<step>"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runWhy(cmd, args[0], args[1], f) },
	}
	cmd.Flags().StringVar(&f.server, "server", "http://127.0.0.1:8480", "address of the engine")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the alert token of the engine")
	return cmd
}

func runWhy(cmd *cobra.Command, name, step string, f openFlags) error {
	id, err := incident.ParseID(name)
	if err != nil {
		return usageError{err}
	}
	token, err := readSecret(f.tokenFile)
	if err != nil {
		return err
	}
	address := strings.TrimRight(f.server, "/") + "/why?" + url.Values{"incident": {string(id)}, "step": {step}}.Encode()
	ctx, cancel := context.WithTimeout(cmd.Context(), whyTime+5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("address the engine: %w", err)
	}
	if len(token) > 0 {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return withHint(fmt.Errorf("reach the engine: %w", err), "is `pullbook serve` running, and is --server its address?")
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("read the engine's answer: %w", err)
	case resp.StatusCode == http.StatusUnauthorized:
		return withHint(fmt.Errorf("the engine answered %s", resp.Status), "--token-file names the file with the engine's alert token")
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the engine answered %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}
