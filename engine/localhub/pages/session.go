package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

const cookieName = "hub_session"

// sign is a keyed digest of the parts; the lengths keep parts from running into one another.
func (s *Site) sign(parts ...string) string {
	mac := hmac.New(sha256.New, s.key[:])
	for _, p := range parts {
		mac.Write([]byte{byte(len(p))})
		mac.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// identify reads the cookie, "session.login.signature", or begins a session.
func (v *visit) identify() {
	v.local = isLoopback(v.r.RemoteAddr) && isLoopback(v.r.Host)
	v.actor.Base = scheme(v.r) + v.r.Host
	if c, err := v.r.Cookie(cookieName); err == nil {
		parts := strings.Split(c.Value, ".")
		if len(parts) == 3 && hmac.Equal([]byte(parts[2]), []byte(v.sign("cookie", parts[0], parts[1]))) {
			v.session = parts[0]
			if u, err := v.Store.Account(parts[1]); err == nil && v.local && u.Type == state.TypeUser {
				v.actor.User = u
			}
			return
		}
	}
	v.begin("")
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https://"
	}
	return "http://"
}

// begin starts a new session for a login, or for nobody.
func (v *visit) begin(login string) {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand aborts the program instead
	v.session = base64.RawURLEncoding.EncodeToString(id[:])
	http.SetCookie(v.w, &http.Cookie{
		Name: cookieName, Value: v.session + "." + login + "." + v.sign("cookie", v.session, login),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.r.TLS != nil,
	})
}

// isLoopback takes "host:port" or a host. A name other than localhost is not loopback, whatever it resolves to: a page of
// another site must not reach the log-in through a name that it controls.
func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.Trim(hostPort, "[]")
	}
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// postLogin makes the viewer another person, or nobody.
func postLogin(v *visit) error {
	if !v.local {
		return state.Forbid("Choosing who you are works only on the machine that the hub runs on.")
	}
	login := v.r.PostFormValue("login")
	if login != "" {
		u, err := v.Store.Account(login)
		if err != nil || u.Type != state.TypeUser {
			return state.Unprocessable("There is no such person.")
		}
		login = u.Login
	}
	v.begin(login)
	http.Redirect(v.w, v.r, ownPath(v.r.PostFormValue("return")), http.StatusSeeOther)
	return nil
}

// ownPath keeps a redirect on this hub.
func ownPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return "/"
	}
	return path
}
