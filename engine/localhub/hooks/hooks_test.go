package hooks

import (
	"errors"
	"testing"
)

// What a name leads to decides, not the name: see reachable.
func TestReachable(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "10.0.0.1:80": true, "192.0.2.1:443": true, "[2001:db8::1]:443": true,
		"169.254.169.254:80": false, "[::ffff:169.254.169.254]:80": false, "[fe80::1%eth0]:80": false, "[fd00:ec2::254]:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "224.0.0.1:80": false,
	} {
		err := reachable("tcp", address, nil)
		if (err == nil) != want || (err != nil && !errors.Is(err, errAddress)) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
