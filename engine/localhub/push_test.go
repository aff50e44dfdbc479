package localhub_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// emptyPack is a pack without objects (gitformat-pack(5)).
func emptyPack() []byte {
	pack := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

// pushRaw posts packets to git-receive-pack as bob, byte by byte as they are given.
func (w *world) pushRaw(repo string, lines ...string) (int, string) {
	w.t.Helper()
	var body bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&body, "%04x%s", len(l)+4, l)
	}
	body.WriteString("0000")
	body.Write(emptyPack())
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/"+repo+".git/git-receive-pack", &body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth("bob", "bob-token")
	req.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Whatever way a push is written, git does nothing that the rules were not asked about.
func TestPushesCannotBeWrittenPastTheRules(t *testing.T) {
	w := newWorld(t, "")
	const zero = "0000000000000000000000000000000000000000"
	ref, _, err := w.user("bob").Git.GetRef(t.Context(), "acme", "open", "heads/main")
	if err != nil {
		t.Fatal(err)
	}
	main := ref.GetObject().GetSHA()
	const abilities = "\x00report-status"
	free := zero + " " + main + " refs/heads/free"
	held := zero + " " + main + " refs/heads/incident/1"
	for name, push := range map[string][]string{
		"plain":                      {held + abilities},
		"ids in capitals":            {strings.ToUpper(zero+" "+main) + " refs/heads/incident/1" + abilities},
		"a line within a line":       {free + "\n" + held + abilities},
		"after the abilities":        {free + abilities + "\n" + held},
		"two spaces":                 {zero + " " + main + "  refs/heads/incident/1" + abilities},
		"a certificate":              {"push-cert" + abilities + "\n", "certificate version 0.1\n", "pusher b 0 +0000\n", "nonce \n", "\n", held + "\n", "push-cert-end\n"},
		"a certificate of two lines": {"push-cert" + abilities + "\n", "certificate version 0.1\npusher b 0 +0000\nnonce \n\n" + free + "\n" + held + "\n", "push-cert-end\n"},
		"a certificate after others": {free + abilities, "push-cert\n", "certificate version 0.1\npusher b 0 +0000\nnonce \n\n" + held + "\n", "push-cert-end\n"},
		"a false beginning":          {main + " " + main + " refs/heads/incident/1" + abilities},
		"under a dot":                {zero + " " + main + " refs/heads/incident/./1" + abilities},
		"twice":                      {free + abilities, held, held},
	} {
		status, answer := w.pushRaw("acme/open", push...)
		if status == http.StatusOK && !strings.Contains(answer, "ng refs/heads/incident/") && !strings.Contains(answer, "unpack") {
			t.Errorf("%s: %d %q", name, status, answer)
		}
		refs, _, err := w.user("bob").Git.ListMatchingRefs(t.Context(), "acme", "open", &github.ReferenceListOptions{Ref: "heads/incident"})
		if err != nil || len(refs) != 0 {
			t.Fatalf("%s made %v (%v): %d %q", name, refs, err, status, answer)
		}
	}
	if status, answer := w.pushRaw("acme/open", zero+" "+main+" refs/heads/plain"+abilities); status != http.StatusOK || !strings.Contains(answer, "ok refs/heads/plain") {
		t.Errorf("a push that is free: %d %q", status, answer)
	}
}

// A push that stops in the middle keeps nobody else from the repository, and changes nothing.
func TestPushThatStopsInTheMiddle(t *testing.T) {
	w := newWorld(t, "")
	ref, _, err := w.user("bob").Git.GetRef(t.Context(), "acme", "open", "heads/main")
	if err != nil {
		t.Fatal(err)
	}
	main := ref.GetObject().GetSHA()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	line := strings.Repeat("0", 40) + " " + main + " refs/heads/cut\x00report-status"
	fmt.Fprintf(conn, "POST /acme/open.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n", "Ym9iOmJvYi10b2tlbg==")
	begun := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n")) // the hub reads: the push is under way
	if _, err := io.ReadFull(conn, begun); err != nil || !bytes.Contains(begun, []byte("100 Continue")) {
		t.Fatalf("%q: %v", begun, err)
	}
	fmt.Fprintf(conn, "%04x%s0000PACK", len(line)+4, line)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := w.user("bob").Git.CreateRef(ctx, "acme", "open", &github.Reference{
		Ref: github.String("refs/heads/meanwhile"), Object: &github.GitObject{SHA: &main},
	}); err != nil {
		t.Fatalf("while a push is under way: %v", err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(answer, []byte("400 Bad Request")) || !bytes.Contains(answer, []byte("ended early")) {
		t.Errorf("the push that was cut: %q, %v", answer, err)
	}
	if _, resp, err := w.user("bob").Git.GetRef(t.Context(), "acme", "open", "heads/cut"); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the branch of the push that was cut: %v", err)
	}
}

// A client that goes away once its push is sent whole leaves no lock behind: the push is carried out, and so is the next.
func TestPushOfAClientThatHasGone(t *testing.T) {
	w := newWorld(t, "")
	ref, _, err := w.user("bob").Git.GetRef(t.Context(), "acme", "open", "heads/main")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		name := fmt.Sprintf("refs/heads/gone%d", n)
		line := strings.Repeat("0", 40) + " " + ref.GetObject().GetSHA() + " " + name + "\x00report-status"
		body := fmt.Sprintf("%04x%s0000%s", len(line)+4, line, emptyPack())
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /acme/open.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Ym9iOmJvYi10b2tlbg==\r\n"+
			"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if _, _, err = w.user("bob").Git.GetRef(t.Context(), "acme", "open", strings.TrimPrefix(name, "refs/")); err == nil {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("push %d was not carried out: %v", n, err)
			}
		}
	}
}
