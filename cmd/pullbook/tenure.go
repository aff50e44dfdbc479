package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/gitstore"
)

const (
	// standby is how often an engine that waits for another one looks again.
	standby = 5 * time.Second
	// nextInLine is how often an engine looks whether the one that has the inbox is gone.
	nextInLine = time.Second
	// giveBack bounds how long an engine that stops tries to give the lease back; it ends by itself anyway.
	giveBack = 10 * time.Second
)

// takeLedger takes the ledger's lease, and stands by while another engine has it: one engine serves a ledger at a time,
// wherever it runs. It returns ctx's error when it was told to stop meanwhile.
func (svc *service) takeLedger(ctx context.Context, signers gitstore.AllowedSigners) error {
	said := ""
	for {
		var err error
		svc.tenure, err = svc.store.TakeLease(ctx, gitstore.LeaseRequest{Holder: svc.settings.holder, For: svc.settings.lease, Signers: signers})
		var held *gitstore.HeldError
		if !errors.As(err, &held) {
			return err
		}
		if said != held.Lease.Holder {
			said = held.Lease.Holder
			svc.log.Warn("standing by: another engine serves this ledger", "engine", said, "until", held.Lease.Until)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(standby):
		}
	}
}

// releaseLedger gives the lease back, so that the next engine need not wait for its end.
func (svc *service) releaseLedger(ctx context.Context) {
	if svc.tenure == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	if err := svc.tenure.Release(ctx); err != nil {
		svc.log.Warn("the ledger's lease was not given back; it ends by itself", "until", svc.tenure.Lease().Until, "error", err)
	}
}

// holderOf names the engine whose data are in a directory, over restarts too. The name is made when there is none yet.
func holderOf(data string) (string, error) {
	path := filepath.Join(data, "holder")
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the name of this engine: %w", err)
	}
	name := newHolder()
	if err := writeDurably(path, name+"\n"); err != nil {
		return "", fmt.Errorf("keep the name of this engine: %w", err)
	}
	return name, nil
}

// writeDurably replaces a file. It is on disk, whole, when writeDurably returns nil: an engine that forgot its name by a power cut would
// wait for the end of its own lease.
func writeDurably(path, text string) error {
	next, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = next.WriteString(text)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// newHolder makes the name of an engine: the machine's, and something that no other engine has.
func newHolder() string {
	host, _ := os.Hostname() // without it the rest alone is the name
	host = strings.Map(func(c rune) rune {
		if c > ' ' && c <= '~' {
			return c
		}
		return -1
	}, host)
	return strings.TrimPrefix(host+"-"+strings.ToLower(rand.Text()[:10]), "-")
}
