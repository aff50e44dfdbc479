package step

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const dialTimeout = 10 * time.Second

// dialer connects to addresses that a step may reach. The check is made on the address that is about to be connected to,
// after every look-up and redirect: a name that answers differently the second time gains nothing.
func (r *Runner) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: r.resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %s: not an address", address)
			}
			return allowed(to.Addr(), r.cfg.PrivateNetworks)
		},
	}
}

// reach says who may connect to a range of addresses.
type reach int8

const (
	everyone    reach = iota
	whenPrivate       // only with Config.PrivateNetworks
	nobody
)

// ranges that are not the public internet, besides those that package netip names. Sources: IANA's special-purpose
// address registries, and the clouds' documentation of their metadata services outside the link-local range.
var ranges = []struct {
	prefix netip.Prefix
	reach  reach
}{
	{netip.MustParsePrefix("0.0.0.0/8"), nobody},              // this host, where the system takes it for loopback
	{netip.MustParsePrefix("240.0.0.0/4"), nobody},            // reserved, broadcast
	{netip.MustParsePrefix("100.100.100.200/32"), nobody},     // metadata: Alibaba
	{netip.MustParsePrefix("168.63.129.16/32"), nobody},       // metadata: Azure's wire server
	{netip.MustParsePrefix("192.0.0.192/32"), nobody},         // metadata: Oracle
	{netip.MustParsePrefix("fd00:ec2::254/128"), nobody},      // metadata: AWS
	{netip.MustParsePrefix("fd00:ec2::23/128"), nobody},       // credentials: AWS EKS
	{netip.MustParsePrefix("fd20:ce::254/128"), nobody},       // metadata: Google
	{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), nobody}, // metadata: Oracle
	{netip.MustParsePrefix("100.64.0.0/10"), whenPrivate},     // carrier-grade translation
	{netip.MustParsePrefix("192.0.0.0/24"), whenPrivate},      // protocol assignments
	{netip.MustParsePrefix("198.18.0.0/15"), whenPrivate},     // benchmarks
	{netip.MustParsePrefix("fec0::/10"), whenPrivate},         // site-local, deprecated
	{netip.MustParsePrefix("64:ff9b:1::/48"), whenPrivate},    // local translation
}

// allowed checks one address.
func allowed(to netip.Addr, private bool) error {
	switch reachOf(to) {
	case nobody:
		return fmt.Errorf("connect to %s: link-local, metadata and reserved addresses are out of bounds for steps", to)
	case whenPrivate:
		if !private {
			return fmt.Errorf("connect to %s: private and loopback addresses are not allowed by this runner's configuration", to)
		}
	}
	return nil
}

func reachOf(to netip.Addr) reach {
	to = to.WithZone("").Unmap()
	if inner, ok := embedded(to); ok {
		return reachOf(inner)
	}
	if !to.IsValid() || to.IsUnspecified() || to.IsLinkLocalUnicast() || to.IsMulticast() {
		return nobody
	}
	for _, r := range ranges {
		if r.prefix.Contains(to) {
			return r.reach
		}
	}
	if to.IsPrivate() || to.IsLoopback() {
		return whenPrivate
	}
	return everyone
}

// embedded returns the IPv4 address to which a translator or tunnel takes an IPv6 address: NAT64 (RFC 6052), 6to4
// (RFC 3056) and the deprecated IPv4-compatible form (RFC 4291).
func embedded(to netip.Addr) (netip.Addr, bool) {
	b := to.As16()
	at := -1
	switch {
	case !to.Is6():
	case netip.MustParsePrefix("64:ff9b::/96").Contains(to):
		at = 12
	case netip.MustParsePrefix("2002::/16").Contains(to):
		at = 2
	case netip.MustParsePrefix("::/96").Contains(to) && !to.IsUnspecified() && !to.IsLoopback():
		at = 12
	}
	if at < 0 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[at : at+4])), true
}
