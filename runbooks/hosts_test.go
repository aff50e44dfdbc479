package runbooks_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDisk looks at a file system of this machine, and removes old rotated logs of its own and nothing else.
func TestDisk(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/srv", "pullbook-test-")
	if err != nil {
		t.Skipf("clean-disk takes only directories below /var/log and /srv: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	old := time.Now().Add(-30 * 24 * time.Hour)
	for name, at := range map[string]time.Time{"app.log.1": old, "old app.log.gz": old, "app.log": old, "app.log.2": time.Now(), "notes.txt": old, "v1.100": old} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "kept.gz")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(elsewhere, old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(elsewhere), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, map[string]string{"ssh": sshHere})
	var got struct {
		Percent int
		Files   int   `json:"old_files"`
		Bytes   int64 `json:"old_bytes"`
		Free    int64 `json:"free_bytes"`
	}
	words := []string{"--host=h", "--logs=" + dir, "--days=14"}
	look := append([]string{"--mount=" + dir}, words...)
	if b.good(t, &got, "look-disk", look...); got.Files != 2 || got.Bytes != 2000 || got.Percent > 100 || got.Free <= 0 {
		t.Errorf("found %+v, want 2 files of 2000 bytes", got)
	}
	b.good(t, nil, "clean-disk", words...)
	b.good(t, nil, "clean-disk", words...) // again, without harm
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 5 {
		t.Errorf("left are %v (%v), want 5", left, err)
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	if b.good(t, &got, "look-disk", look...); got.Files != 0 || got.Bytes != 0 {
		t.Errorf("afterwards there are %+v", got)
	}
	b.bad(t, "neither below /var/log nor below /srv", "clean-disk", "--host=h", "--logs=/home/x", "--days=14")
	b.bad(t, "leads elsewhere", "clean-disk", "--host=h", "--logs=/srv/../etc", "--days=14")
	b.bad(t, "No such file", "look-disk", "--host=h", "--mount="+dir, "--logs="+dir+"/none", "--days=14")
}

// TestLookCertificate looks at certificates that openssl shows: one that is good for long, one for another name, and nobody there.
func TestLookCertificate(t *testing.T) {
	t.Parallel()
	need(t, "openssl", "jq")
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
		"-days", "40", "-set_serial", "77", "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example").CombinedOutput()
	if err != nil {
		t.Fatalf("make a certificate: %v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", address, "-key", key, "-cert", cert, "-quiet")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	awaitAnswer(t, address)
	b := newBench(t, nil)
	var got struct {
		Serial, Subject, Issuer string
		Days                    int `json:"days_left"`
		Matches                 bool
	}
	b.good(t, &got, "look-certificate", "--server="+address, "--name=shop.example")
	if got.Serial != "4D" || !strings.Contains(got.Subject, "shop.example") || got.Days < 38 || got.Days > 40 || !got.Matches {
		t.Errorf("the server shows %+v", got)
	}
	if b.good(t, &got, "look-certificate", "--server="+address); got.Matches {
		t.Error("the certificate is for the address as well")
	}
	b.bad(t, "shows no certificate", "look-certificate", "--server=127.0.0.1:1")
}

// awaitAnswer waits until something listens.
func awaitAnswer(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestRenewCertificate shows what certbot and systemctl are told; no certificate is renewed.
func TestRenewCertificate(t *testing.T) {
	t.Parallel()
	words := []string{"--host=h", "--name=shop.example", "--reload=nginx.service"}
	b := newBench(t, map[string]string{"ssh": sshHere, "certbot": "echo certbot $*\n", "systemctl": "echo systemctl $*\n"})
	want := "certbot renew --non-interactive --force-renewal --cert-name shop.example\nsystemctl reload -- nginx.service\n"
	if log := b.good(t, nil, "renew-certificate", words...); log != want {
		t.Errorf("the host was told %q, want %q", log, want)
	}
	b = newBench(t, map[string]string{"ssh": sshHere, "certbot": "echo too many >&2; exit 1\n", "systemctl": "echo reloaded all the same >&2\n"})
	_, log, err := b.run(t, "renew-certificate", words...)
	if err == nil || !strings.Contains(log, "too many") || strings.Contains(log, "reloaded") {
		t.Errorf("after a failure: %v, %q", err, log)
	}
}

// TestEgress blocks an address with nft in a network of its own, twice, sees that packets are refused, and lets them pass again.
func TestEgress(t *testing.T) {
	t.Parallel()
	need(t, "nft", "unshare", "ip", "socat")
	if out, err := exec.Command("unshare", "-n", "nft", "list", "tables").CombinedOutput(); err != nil {
		t.Skipf("no network namespace may be made: %s", out)
	}
	b := newBench(t, map[string]string{"ssh": sshHere})
	script := `set -eu
ip link set lo up
ip addr add 203.0.113.7/32 dev lo
ip addr add 2001:db8::7/128 dev lo nodad
ip addr add 10.9.9.9/32 dev lo # where it comes from is not what is blocked
ip addr add 2001:db8::9/128 dev lo nodad
socat TCP6-LISTEN:9000,fork,reuseaddr,ipv6only=0 /dev/null >/dev/null 2>&1 &
listener=$!
trap 'kill $listener' EXIT
try() { if socat -u /dev/null "TCP:$1:9000,bind=$2,connect-timeout=5" 2>/dev/null; then echo passes; else echo refused; fi; }
both() { echo $1 $(try 203.0.113.7 10.9.9.9) $(try [2001:db8::7] [2001:db8::9]); }
until [ "$(both is)" = "is passes passes" ]; do sleep 0.05; done
both before
for n in 1 2; do scripts/egress block --host=h --address=203.0.113.7 --for=1h 2>/dev/null; done
both blocked
scripts/egress block --host=h --address=2001:db8::7 --for=1h
both blocked
nft list set inet pullbook blocked4 | grep -o 'timeout 1h'
for n in 1 2; do scripts/egress unblock --host=h --address=203.0.113.7; done
both after
`
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "bash", "-c", script)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+b.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	const want = "before passes passes\nblocked refused passes\nblocked refused refused\ntimeout 1h\nafter passes refused\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	for _, address := range []string{"0.0.0.0/0", "10.0.0.0/7", "127.0.0.1", "::/0", "example.org", "1.2.3.4,5.6.7.8"} {
		b.bad(t, "egress: "+address+" is ", "egress", "block", "--host=h", "--address="+address, "--for=1h")
	}
}

// TestHAProxyServer takes servers out of HAProxy, up to the last one, which stays, and puts one back.
func TestHAProxyServer(t *testing.T) {
	t.Parallel()
	need(t, "haproxy", "socat")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf("global\n stats socket ipv4@%s level admin\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"+
		"backend web\n server web-1 127.0.0.1:1\n server web-2 127.0.0.1:1\n", proxy)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	server := exec.CommandContext(t.Context(), "haproxy", "-db", "-f", config)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	awaitAnswer(t, proxy)
	b := newBench(t, nil)
	at := "--proxy=" + proxy
	b.good(t, nil, "haproxy-server", "drain", at, "--server=web/web-1")
	b.good(t, nil, "haproxy-server", "drain", at, "--server=web/web-1")
	b.bad(t, "no other server of web is up", "haproxy-server", "drain", at, "--server=web/web-2")
	b.good(t, nil, "haproxy-server", "ready", at, "--server=web/web-1")
	b.good(t, nil, "haproxy-server", "drain", at, "--server=web/web-2")
	b.bad(t, "No such server", "haproxy-server", "ready", at, "--server=web/web-9")
	b.bad(t, "knows no backend none", "haproxy-server", "drain", at, "--server=none/web-1")
}
