package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/intake"
)

func serveCommand() *cobra.Command {
	var s settings
	var verbose bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve one ledger: take alerts and webhooks, run runbooks",
		Long: `Serve is the engine. It takes alerts at /alerts/alertmanager, /alerts/generic and, in
formats that the ledger's pullbook.cue defines, at /alerts/custom/NAME, webhooks of its GitHub App at /webhooks, and orders of ` + "`pullbook open`" + ` at /open.
One engine is active per ledger; another one stands by until it stops, or until its
lease is over. It may be killed at any time: everything that was answered 202 is there
after a restart with the same --data.

With --inbox, engines on several machines share one inbox: one of them serves, and when
it is gone another one goes on within seconds with everything that was answered 202.`,
		Example: `  pullbook serve --repo acme/ops --app-id 1234 --app-key app.pem \
    --webhook-secret-file webhook.secret --alert-token-file alert.token

  pullbook serve --hub https://github.example.com/api/v3 --repo acme/ops ...
  pullbook serve --inbox postgres://pullbook@db.example.com/pullbook --repo acme/ops ...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			return serve(cmd, s, log)
		},
	}
	serveFlags(cmd, &s)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log more")
	return cmd
}

func serveFlags(cmd *cobra.Command, s *settings) {
	f := cmd.Flags()
	f.StringVar(&s.hubAPI, "hub", "", "API root of the hub, such as https://HOST/api/v3 (default github.com)")
	f.StringVar(&s.repo, "repo", "", "the ledger, owner/name")
	f.Int64Var(&s.appID, "app-id", 0, "id of the GitHub App")
	f.StringVar(&s.appKey, "app-key", "", "file with the App's private key (PEM)")
	f.StringVar(&s.data, "data", "pullbook-data", "directory for the inbox and the steps' scratch space")
	f.StringVar(&s.inboxURL, "inbox", "", "PostgreSQL database of the inbox, postgres://USER@HOST/DATABASE (default a SQLite file in DATA)")
	f.StringVar(&s.listen, "listen", "127.0.0.1:8480", "address for alerts and webhooks")
	f.StringVar(&s.webhookSecret, "webhook-secret-file", "", "file with the secret of the App's webhooks; without it none are taken")
	f.StringVar(&s.alertToken, "alert-token-file", "", "file with the bearer token of alert sources; without it only loopback may send")
	f.StringVar(&s.alertmanager, "alertmanager", "", "address of the Alertmanager that is asked what fires when the inbox is new, or was lost")
	f.StringVar(&s.receiver, "alertmanager-receiver", "pullbook", "the receiver by which that Alertmanager posts to this engine")
	f.StringVar(&s.signingKey, "signing-key", "", "ssh ed25519 key that signs the ledger (default DATA/signing_key, made when absent)")
	f.StringVar(&s.secrets, "secrets-dir", "", "directory with one file per secret that steps may name")
	f.BoolVar(&s.privateNetworks, "private-networks", false, "let http, probe and notify steps reach private and loopback addresses")
	f.StringVar(&s.limits, "limits", "github", "keep the hub's limits: github or off")
	f.DurationVar(&s.lease, "lease", 10*time.Minute, "how long the ledger stays this engine's when it cannot be reached; another one takes over then")
	f.DurationVar(&s.sweep, "sweep", 5*time.Minute, "how often every open incident is looked at")
}

func serve(cmd *cobra.Command, s settings, log *slog.Logger) error {
	if err := s.check(); err != nil {
		return usageError{err}
	}
	svc, err := newService(cmd.Context(), s, log, nil)
	if err != nil {
		if cmd.Context().Err() != nil {
			return nil // told to stop while it started
		}
		return err
	}
	defer svc.close()
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: serving %s on http://%s\n", s.repo, svc.listener.Addr())
	return svc.run(cmd.Context())
}

func (s *settings) check() error {
	if s.signingKey == "" {
		s.signingKey = s.data + "/signing_key"
	}
	if _, _, err := splitRepo(s.repo); err != nil {
		return err
	}
	switch {
	case s.appID <= 0 || s.appKey == "":
		return fmt.Errorf("--app-id and --app-key are needed")
	case s.limits != "github" && s.limits != "off":
		return fmt.Errorf("--limits is github or off, not %q", s.limits)
	case s.lease < 2*time.Minute:
		return fmt.Errorf("--lease is at least 2m")
	case s.sweep < time.Second:
		return fmt.Errorf("--sweep is at least 1s")
	}
	if s.alertmanager != "" {
		if _, err := intake.ParseAsked(s.alertmanager, s.receiver); err != nil {
			return fmt.Errorf("--alertmanager: %w", err)
		}
	}
	return nil
}
