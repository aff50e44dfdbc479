package git

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestReportIsWordedAsGitHubDoes(t *testing.T) {
	lines := [][]byte{[]byte("unpack ok\n"), []byte("ok refs/heads/a\n"), []byte("ng refs/heads/b hook declined\n"), []byte("ng refs/heads/c hook declined\n"),
		[]byte("ng refs/heads/d failed to update ref\n"), nil}
	var plain, want []byte
	for _, line := range lines {
		plain = append(plain, packet(line)...)
	}
	for _, line := range []string{"unpack ok\n", "ok refs/heads/a\n", "ng refs/heads/b push declined due to repository rule violations\n",
		"ng refs/heads/c protected branch hook declined\n", "ng refs/heads/d failed to update ref\n"} {
		want = append(want, packet([]byte(line))...)
	}
	want = append(want, "0000"...)
	classic := map[string]bool{"refs/heads/c": true}
	if got := worded(plain, classic); !bytes.Equal(got, want) {
		t.Errorf("without channels:\n%q\nwant\n%q", got, want)
	}
	// git cuts the report wherever a packet of the channel is full.
	var banded []byte
	for _, part := range [][]byte{plain[:50], plain[50:51], plain[51:]} {
		banded = append(banded, packet([]byte("\x02remote says\n"))...)
		banded = append(banded, packet([]byte("\x02error: hook declined to update refs/heads/b\n"))...)
		banded = append(banded, packet(append([]byte{channelReport}, part...))...)
	}
	banded = append(banded, "0000"...)
	got := worded(banded, classic)
	said := strings.Repeat(string(packet([]byte("\x02remote says\n"))), 3)
	if full := said + string(packet(append([]byte{channelReport}, want...))) + "0000"; string(got) != full {
		t.Errorf("with channels:\n%q\nwant\n%q", got, full)
	}
}

func TestReportInNoKnownFormIsLeft(t *testing.T) {
	for _, report := range []string{"", "x", "fatal: no", "0001", "00", "zzzz", "ffff" + "short", "0009\x01000x"} {
		if got := worded([]byte(report), nil); string(got) != report {
			t.Errorf("%q became %q", report, got)
		}
	}
}

// A report that is longer than a packet comes out in several, and whole.
func TestLongReportIsCut(t *testing.T) {
	plain := append(bytes.Repeat(packet([]byte("ok refs/heads/"+strings.Repeat("x", 200)+"\n")), 1000), "0000"...)
	var banded []byte
	for part := range slices.Chunk(plain, 1000) {
		banded = append(banded, packet(append([]byte{channelReport}, part...))...)
	}
	out, ok := packets(worded(append(banded, "0000"...), nil))
	var got []byte
	for _, p := range out[:len(out)-1] {
		if p[0] != channelReport || len(p)+4 > maxPacket {
			t.Fatalf("a packet of %d bytes on channel %d", len(p), p[0])
		}
		got = append(got, p[1:]...)
	}
	if !ok || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came out as %d", len(plain), len(got))
	}
}
