package github

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// address is where the API and git are.
type address struct {
	api     *url.URL // of REST; ends in a slash
	graphql string
	git     string // scheme and host
}

// parseAddress reads the root of a REST API: https://api.github.com (as for data residency, https://api.NAME.ghe.com) or
// https://HOST/api/v3 (Enterprise Server). Without TLS only this machine is accepted, since requests carry tokens.
func parseAddress(base string) (address, error) {
	if base == "" {
		base = "https://api.github.com"
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The text is not quoted: it may hold a password.
		return address{}, errors.New("the hub's address is not of the form https://host/api/v3")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return address{}, fmt.Errorf("the hub at %s is not asked without TLS", u.Host)
	}
	path := strings.TrimSuffix(u.Path, "/")
	git := u.Scheme + "://" + u.Host
	graphql := git + "/graphql"
	switch {
	case path == "/api/v3":
		graphql = git + "/api/graphql"
	case path == "" && strings.HasPrefix(u.Host, "api."):
		git = u.Scheme + "://" + strings.TrimPrefix(u.Host, "api.")
	default:
		return address{}, fmt.Errorf("the hub's address %s%s is neither https://api.host nor https://host/api/v3", u.Host, path)
	}
	return address{api: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path + "/"}, graphql: graphql, git: git}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// plain reports whether s can be one segment of a path as it is: the names of owners, repositories, teams and Apps.
func plain(s string) bool {
	return s != "" && len(s) <= 100 && s != "." && s != ".." && strings.Trim(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// errRedirect says that the hub answered with a redirect that is not followed.
var errRedirect = errors.New("the hub answered with a redirect that is not followed")

// checkRedirect follows a few redirects of reads: a renamed repository answers with one. A write is never sent elsewhere
// than where it was meant to go. That another host is never asked is wire's business.
func checkRedirect(_ *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet || len(via) > 3 {
		return errRedirect
	}
	return nil
}
