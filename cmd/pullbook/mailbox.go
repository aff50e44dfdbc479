package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/inbox"
)

// openInbox opens the inbox: a file of the data directory, which one engine has at a time, or a schema of a PostgreSQL
// database, for which engines on several machines stand by.
func (svc *service) openInbox(ctx context.Context) error {
	s := svc.settings
	config := inbox.Config{Logger: slog.New(atLeastWarn{svc.log.Handler()}),
		Hints: []string{engine.KindHub, engine.KindPull, engine.KindRun, engine.KindSweep, engine.KindProposals, engine.KindAgain}}
	if s.inboxURL == "" {
		config.Path = filepath.Join(s.data, "inbox.sqlite")
	} else {
		config.URL, config.Schema = s.inboxURL, schemaOf(s.repo)
	}
	for said := false; ; {
		var err error
		svc.inbox, err = inbox.Open(ctx, config)
		switch {
		case err == nil:
			if note := svc.inbox.Recovered(); note != "" {
				svc.tellLoss(note)
			}
			if note := svc.inbox.Unread(); note != "" {
				svc.log.Warn("the end of the inbox's log is missing; the sweep brings back what git and the hub hold, and Alertmanager is asked where it can be; "+
					"unless the engine was killed just while it wrote, what was taken last besides is lost", "detail", note)
			}
			return nil
		case !errors.Is(err, inbox.ErrLocked):
			return withHint(err, "--inbox takes an address such as postgres://USER@HOST/DATABASE; a password comes from PGPASSFILE or PGPASSWORD")
		case config.URL == "":
			return withHint(err, "another engine serves this ledger from the same data directory; stop it first")
		case !said:
			said = true
			svc.log.Warn("standing by: another engine has the inbox", "schema", config.Schema)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(nextInLine):
		}
	}
}

// schemaOf names the schema that holds a ledger's inbox: after the ledger, whose name may be longer than that of a schema.
func schemaOf(repo string) string {
	name := strings.ToLower("pullbook " + repo) // the hub does not tell cases of letters apart
	if len(name) <= 63 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:46] + " " + hex.EncodeToString(sum[:8])
}
