package pages

import "net/http"

// Local says whether a request comes over loopback and asked for a name of loopback.
func Local(r *http.Request) bool { return isLoopback(r.RemoteAddr) && isLoopback(r.Host) }
