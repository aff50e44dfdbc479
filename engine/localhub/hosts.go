package localhub

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// hostName is the host of a request without its port, in lower case.
func hostName(r *http.Request) string {
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	return strings.ToLower(name)
}

// strays says whether a client took the hub for a proxy to another host. A client that is told of the hub as its proxy
// (README.md, "gh") reaches github.localhost through it, and nothing else: a request for another host would be answered
// with the wrong host's contents.
func strays(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return true
	}
	if !r.URL.IsAbs() {
		return false
	}
	if name := hostName(r); name == wire.Localhost || name == wire.APIHost {
		return false
	}
	own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return !ok || r.Host != own.String()
}

func misdirect(w http.ResponseWriter, r *http.Request) {
	http.Error(w, fmt.Sprintf("This is a local hub for %s, and no proxy to %s.", wire.Localhost, r.Host), http.StatusMisdirectedRequest)
}
