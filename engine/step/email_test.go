package step

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mailbox is a mail server of Debian under way.
type mailbox struct {
	port string
	out  *bufio.Scanner
	pool *x509.CertPool
}

// delivered is one message that the server took.
type delivered struct {
	From, Auth, Data string
	To               []string
	TLS              bool
}

// mailServer starts testdata/smtpd.py.
func mailServer(t *testing.T, kind string, login ...string) *mailbox {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's own, which has Debian's modules
	if err := exec.Command(python, "-c", "import aiosmtpd").Run(); err != nil {
		t.Skip("needs python3-aiosmtpd: ", err)
	}
	m := &mailbox{}
	args := []string{"testdata/smtpd.py", kind}
	if kind != "plain" || len(login) > 0 {
		cert, key := m.certificate(t)
		args = append(append(args, cert, key), login...)
	}
	cmd := exec.Command(python, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	m.out = bufio.NewScanner(out)
	m.out.Buffer(nil, 1<<20)
	if !m.out.Scan() {
		t.Fatal("the mail server did not start: ", m.out.Err())
	}
	m.port = m.out.Text()
	return m
}

// certificate makes one for localhost, and trusts it.
func (m *mailbox) certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, name, name, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m.pool = x509.NewCertPool()
	m.pool.AddCert(parsed)
	return cert, key
}

// next is the next message that the server took.
func (m *mailbox) next(t *testing.T) (d delivered, headers mail.Header, body string) {
	t.Helper()
	if !m.out.Scan() {
		t.Fatal("no message came: ", m.out.Err())
	}
	if err := json.Unmarshal(m.out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	msg, err := mail.ReadMessage(strings.NewReader(d.Data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil {
		t.Fatal(err)
	}
	return d, msg.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
}

// notice is a job that mails text.
func (m *mailbox) notice(tls, text string, to ...string) Job {
	return job("notify", map[string]any{"title": "Checkout fails", "text": text, "email": map[string]any{
		"smtp": "localhost:" + m.port, "tls": tls, "from": "pullbook@example.org", "to": to}})
}

func TestMail(t *testing.T) {
	m := mailServer(t, "plain")
	r := newRunner(t, nil)
	r.cfg.Now = func() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }
	j := m.notice("none", "The checkout answers 500.\n.\nÄnderung: zurück auf 1.4.1", "ops@example.org", "boss@example.org")
	j.HasOutput, j.PullURL = true, "https://hub/acme/ops/pull/7"
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	d, h, body := m.next(t)
	if d.From != "pullbook@example.org" || strings.Join(d.To, " ") != "ops@example.org boss@example.org" || d.TLS || d.Auth != "" {
		t.Errorf("delivered %+v", d)
	}
	if h.Get("Subject") != "Checkout fails" || h.Get("Auto-Submitted") != "auto-generated" || h.Get("X-Pullbook-Key") != j.Key ||
		h.Get("Date") != "Sun, 22 Nov 2026 09:30:00 +0000" || h.Get("Message-Id") != got.Facts["message_id"] {
		t.Errorf("headers %v, facts %v", h, got.Facts)
	}
	if want := "The checkout answers 500.\n.\nÄnderung: zurück auf 1.4.1\n\n-- \nPullbook: incident 20261122-k3jq5zabcd, step deploy\nhttps://hub/acme/ops/pull/7\n"; body != want {
		t.Errorf("body %q", body)
	}
	if string(got.Output) != `{"sent":[{"channel":"the mail server","answer":"2.0.0 taken as 17"}]}` || !strings.Contains(got.Log, "taken as 17") {
		t.Errorf("output %s, log %q, facts %v", got.Output, got.Log, got.Facts)
	}
	// The same attempt once more is the same message, and another attempt is another one.
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	_, again, _ := m.next(t)
	j.Key += "0"
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	_, other, _ := m.next(t)
	if again.Get("Message-Id") != h.Get("Message-Id") || other.Get("Message-Id") == h.Get("Message-Id") {
		t.Errorf("ids %q, %q and %q", h.Get("Message-Id"), again.Get("Message-Id"), other.Get("Message-Id"))
	}
}

func TestMailProtected(t *testing.T) {
	for _, kind := range []string{"starttls", "tls"} {
		t.Run(kind, func(t *testing.T) {
			m := mailServer(t, kind, "robot", "correct-horse")
			r := newRunner(t, map[string]string{"MAIL_PASSWORD": "correct-horse", "OLD_PASSWORD": "battery-staple"})
			j := m.notice(kind, "hello", "ops@example.org")
			set(&j, "email.user", "robot")
			set(&j, "email.password", "MAIL_PASSWORD")
			expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "certificate")
			r.roots = m.pool
			expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
			if d, _, _ := m.next(t); kind == "starttls" && !d.TLS || d.Auth != "robot" {
				t.Errorf("delivered %+v", d)
			}
			set(&j, "email.password", "OLD_PASSWORD")
			got := r.Run(t.Context(), j, nil)
			expect(t, got, runbook.Failed, "535")
			if all, err := json.Marshal(got); err != nil || strings.Contains(string(all), "battery") {
				t.Errorf("outcome %s, %v", all, err)
			}
			set(&j, "email.user", "")
			expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "530")
			set(&j, "email.user", "robot")
			set(&j, "email.password", "ABSENT")
			expect(t, r.Run(t.Context(), j, nil), runbook.Failed, `"ABSENT"`)
		})
	}
}

func TestMailRefused(t *testing.T) {
	m := mailServer(t, "plain")
	r := newRunner(t, map[string]string{"MAIL_PASSWORD": "correct-horse"})
	for to, want := range map[string]string{"busy@example.org": "try again later", "gone@example.org": "no such mailbox",
		"full@example.org": `552 "5.2.2 mailbox full"`} {
		expect(t, r.Run(t.Context(), m.notice("none", "x", "ops@example.org", to), nil), runbook.Failed, want)
	}
	expect(t, r.Run(t.Context(), m.notice("none", "x", "hangup@example.org"), nil), runbook.Unknown, "whether it took effect is unknown")
	m.next(t)
	expect(t, r.Run(t.Context(), m.notice("starttls", "x", "ops@example.org"), nil), runbook.Failed, "STARTTLS")
	expect(t, r.Run(t.Context(), m.notice("ssl", "x", "ops@example.org"), nil), runbook.Failed, `tls "ssl"`)
	unsafe := m.notice("none", "x", "ops@example.org")
	set(&unsafe, "email.user", "robot")
	set(&unsafe, "email.password", "MAIL_PASSWORD")
	expect(t, r.Run(t.Context(), unsafe, nil), runbook.Failed, "AUTH")
	away := m.notice("none", "x", "ops@example.org")
	set(&away, "email.smtp", "127.0.0.1:1")
	expect(t, r.Run(t.Context(), away, nil), runbook.Failed, "connection refused")
	set(&away, "email.smtp", "localhost:99999")
	expect(t, r.Run(t.Context(), away, nil), runbook.Failed, "want a host")
	r.cfg.PrivateNetworks = false
	expect(t, r.Run(t.Context(), m.notice("none", "x", "ops@example.org"), nil), runbook.Failed, "private and loopback addresses")
}

// TestMailWithoutProtection: what is not this machine gets no mail in the clear.
func TestMailWithoutProtection(t *testing.T) {
	var own net.IP
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			own = n.IP
		}
	}
	if own == nil {
		t.Skip("needs an address besides loopback")
	}
	l, err := net.Listen("tcp", own.String()+":0")
	if err != nil {
		t.Skip("needs an address to listen on: ", err)
	}
	defer l.Close()
	j := job("notify", map[string]any{"text": "x", "email": map[string]any{"smtp": l.Addr().String(), "tls": "none", "from": "a@b.c", "to": []string{"a@b.c"}}})
	expect(t, newRunner(t, nil).Run(t.Context(), j, nil), runbook.Failed, "to this machine only")
}

// TestMailHolds: a server that says nothing costs no more than the step's own time, and a cancelled step ends at once.
func TestMailHolds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newRunner(t, nil)
	j := job("notify", map[string]any{"text": "x", "email": map[string]any{"smtp": l.Addr().String(), "tls": "none", "from": "a@b.c", "to": []string{"a@b.c"}}})
	j.Timeout = 100 * time.Millisecond
	expect(t, r.Run(t.Context(), j, nil), runbook.TimedOut, "not done within")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := l.Accept(); err == nil { // of the first run
			defer conn.Close()
		}
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
		}
		cancel()
	}()
	j.Timeout = time.Hour
	expect(t, r.Run(ctx, j, nil), runbook.Cancelled, "cancelled")
}

// TestMailHostileText: foreign text makes no header, no recipient and no second message.
func TestMailHostileText(t *testing.T) {
	m := mailServer(t, "plain")
	r := newRunner(t, nil)
	evil := "a\r\nBcc: thief@example.org\r\n\r\n.\r\nMAIL FROM:<x@example.org>\r\n\x00\x1b]0;x\x07\u202e <script> =?utf-8?q?=0d=0aX-Evil:_1?="
	for _, text := range append(payloads("canary"), evil, "", "\n.\n") {
		j := m.notice("none", text, "ops@example.org")
		set(&j, "title", text)
		expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
		d, h, body := m.next(t)
		if strings.Join(d.To, " ") != "ops@example.org" || len(h) != 12 {
			t.Errorf("%.40q: delivered to %q with headers %v", text, d.To, h)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n\x00\x1b") || len(subject) > 200 || subject == "" {
			t.Errorf("%.40q: subject %q, %v", text, subject, err)
		}
		if strings.ContainsAny(body, "\x00\x1b\r") || len(body) > longestNotice+200 {
			t.Errorf("%.40q: body of %d bytes: %.100q", text, len(body), body)
		}
	}
}
