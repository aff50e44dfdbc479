package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestorePostgres backs a database up, loses a table, passes over a backup that was spoilt since, restores beside the
// database, exchanges the two, and goes back.
func TestRestorePostgres(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	p.sql(t, "a", "create database orders")
	orders := func(statements string) string { t.Helper(); return p.sqlIn(t, "orders", statements) }
	orders("create table o (n int); insert into o select generate_series(1, 100)")
	dir := t.TempDir()
	for _, at := range []string{"20260101T030000Z", "20260102T030000Z", "20260103T030000Z"} {
		name := "orders-" + at + ".dump"
		dump := fmt.Sprintf("pg_dump --format=custom -h 127.0.0.1 -p %d -U postgres -f %s orders && sha256sum %s >%s.sha256", p.ports["a"], name, name, name)
		cmd := exec.Command("sh", "-c", dump)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", dump, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "orders-20260103T030000Z.dump"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	orders("drop table o; create table later (n int)")

	var found struct {
		File, At string
		Tables   int
	}
	runScript(t, &found, "look-backup", "--dir="+dir, "--database=orders")
	if found.File != "orders-20260102T030000Z.dump" || found.At != "2026-01-02T03:00:00Z" || found.Tables != 1 {
		t.Errorf("found %+v, want the second, since the third is spoilt", found)
	}
	where := []string{"--server=" + p.address("a"), "--database=orders"}
	load := append([]string{"load"}, append(where, "--dir="+dir, "--file="+found.File)...)
	var loaded struct{ Tables, Rows int }
	runScript(t, &loaded, "restore-postgres", load...)
	runScript(t, &loaded, "restore-postgres", load...) // again, without harm
	if loaded.Tables != 1 || loaded.Rows != 100 {
		t.Errorf("loaded %+v, want 1 table of 100 rows", loaded)
	}
	for range 2 {
		runScript(t, nil, "restore-postgres", append([]string{"swap"}, where...)...)
	}
	if got := orders("select count(*) from o"); got != "100" {
		t.Errorf("after the exchange there are %s orders, want 100", got)
	}
	for range 2 {
		runScript(t, nil, "restore-postgres", append([]string{"swap-back"}, where...)...)
	}
	if got := orders("select to_regclass('o') is null and to_regclass('later') is not null"); got != "t" {
		t.Error("what was there before is not back")
	}
	runScript(t, nil, "restore-postgres", append([]string{"discard"}, where...)...)
	if _, log, err := script("restore-postgres", append([]string{"swap"}, where...)...); err == nil || !strings.Contains(log, "there is no database orders_restored") {
		t.Errorf("an exchange without a copy: %v, %s", err, log)
	}
	if _, log, err := script("look-backup", "--dir="+t.TempDir(), "--database=orders"); err == nil || !strings.Contains(log, "no backup of orders that is whole; 0 were looked at") {
		t.Errorf("without a backup: %v, %s", err, log)
	}
}

// sqlIn runs statements in a database of the primary.
func (p *postgres) sqlIn(t *testing.T, database, statements string) string {
	t.Helper()
	out, err := exec.Command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", fmt.Sprint(p.ports["a"]), "-U", "postgres", "-d", database, "-c", statements).Output()
	if err != nil {
		t.Fatalf("%s in %s: %v", statements, database, err)
	}
	return strings.TrimSpace(string(out))
}

// script runs a program of the library.
func script(name string, words ...string) (stdout, stderr string, err error) {
	var out, log bytes.Buffer
	cmd := exec.Command(filepath.Join("..", "..", "runbooks", "scripts", name), words...)
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	return out.String(), log.String(), err
}

// runScript runs one that has to succeed, and reads what it puts out.
func runScript(t *testing.T, answer any, name string, words ...string) {
	t.Helper()
	out, log, err := script(name, words...)
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, words, err, log)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("%s %q put out %q: %v", name, words, out, err)
	}
}
