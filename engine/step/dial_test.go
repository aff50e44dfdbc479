package step

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
)

func TestReach(t *testing.T) {
	tests := map[string]reach{
		"93.184.216.34": everyone, "2606:2800:220:1::1": everyone, "::ffff:93.184.216.34": everyone, "64:ff9b::5db8:d822": everyone,
		"127.0.0.1": whenPrivate, "127.8.9.1": whenPrivate, "::1": whenPrivate, "::ffff:10.0.0.1": whenPrivate,
		"10.1.2.3": whenPrivate, "172.16.0.1": whenPrivate, "192.168.1.1": whenPrivate, "100.64.0.1": whenPrivate,
		"fd12::1": whenPrivate, "fec0::1": whenPrivate, "64:ff9b::a00:1": whenPrivate, "2002:7f00:1::": whenPrivate,
		"::127.0.0.1": whenPrivate, "198.18.0.1": whenPrivate, "64:ff9b:1::1": whenPrivate,
		"169.254.169.254": nobody, "169.254.170.2": nobody, "fe80::1": nobody, "fe80::1%eth0": nobody, "0.0.0.0": nobody,
		"0.1.2.3": nobody, "::": nobody, "255.255.255.255": nobody, "240.0.0.1": nobody, "224.0.0.1": nobody, "ff02::1": nobody,
		"100.100.100.200": nobody, "168.63.129.16": nobody, "192.0.0.192": nobody, "fd00:ec2::254": nobody,
		"fd20:ce::254": nobody, "::ffff:169.254.169.254": nobody, "64:ff9b::a9fe:a9fe": nobody, "2002:a9fe:a9fe::": nobody,
		"::169.254.169.254": nobody, "::ffff:100.100.100.200": nobody, "::ffff:0.1.2.3": nobody, "fec0::1%eth0": whenPrivate,
	}
	for text, want := range tests {
		addr := netip.MustParseAddr(text)
		if got := reachOf(addr); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
		if allowed(addr, true) != nil != (want == nobody) || allowed(addr, false) != nil != (want != everyone) {
			t.Errorf("%s: allowed %v, %v", text, allowed(addr, true), allowed(addr, false))
		}
	}
	if reachOf(netip.Addr{}) != nobody {
		t.Error("no address is allowed")
	}
}

// fakeResolver answers the first request for an address with the first, and all later ones with the second.
func fakeResolver(t *testing.T, first, later [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var asked atomic.Int32
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			address := later
			if binary.BigEndian.Uint16(buf[questionEnd(buf[:n])-4:]) == 1 && asked.Add(1) == 1 {
				address = first
			}
			_, _ = conn.WriteTo(dnsAnswer(buf[:n], address), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// questionEnd is where the only question of a query ends: 12 bytes of header, the name, type and class (RFC 1035, 4.1).
func questionEnd(query []byte) int {
	at := 12
	for query[at] != 0 {
		at += int(query[at]) + 1
	}
	return at + 5
}

// dnsAnswer answers a question for type A with an address and any other with nothing.
func dnsAnswer(query []byte, address [4]byte) []byte {
	end := questionEnd(query)
	msg := append([]byte{}, query[:end]...)
	msg[2], msg[3] = 0x84, 0                       // an answer with authority
	copy(msg[6:12], []byte{0, 0, 0, 0, 0, 0})      // no records so far
	if binary.BigEndian.Uint16(msg[end-4:]) != 1 { // AAAA
		return msg
	}
	msg[7] = 1
	msg = append(msg, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the question's name, A, IN, no caching, four bytes
	return append(msg, address[:]...)
}
