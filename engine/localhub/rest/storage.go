package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// StoragePrefix is where archives lie. GitHub keeps them in a storage on another host, to which it sends clients by a signed
// address that needs no credential ("Download an artifact" in GitHub's description of its REST API).
const StoragePrefix = "/_storage/"

// signedFor is how long such an address works: "This URL expires after 1 minute."
const signedFor = time.Minute

// stored are the archives that there are: /_storage/{owner}/{repo}/artifacts/{id} and .../runs/{id}/logs.
var stored = regexp.MustCompile(`^/_storage/([^/]+/[^/]+)/(artifacts|runs)/([0-9]{1,18})(/logs)?$`)

// sendOn answers with the address of an archive of the call's repository.
func (c *call) sendOn(archive string) (reply, error) {
	path := StoragePrefix + c.name() + archive
	until := strconv.FormatInt(c.Store.Now().Add(signedFor).Unix(), 10)
	c.w.Header().Set("Location", c.host.Page("%s?se=%s&sig=%s", path, until, c.signed(path, until)))
	return reply{status: http.StatusFound}, nil
}

func (s *Server) signed(path, until string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(path + "\n" + until))
	return hex.EncodeToString(mac.Sum(nil))
}

// ServeStorage answers a request whose path begins with StoragePrefix. Who brings a credential is refused, as by GitHub's storage:
// it is not for that host.
func (s *Server) ServeStorage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	until, err := strconv.ParseInt(q.Get("se"), 10, 64)
	m := stored.FindStringSubmatch(r.URL.Path)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "The resource doesn't support the specified method.", http.StatusMethodNotAllowed)
	case r.Header.Get("Authorization") != "":
		http.Error(w, "Authentication information is given that is not for this storage.", http.StatusUnauthorized)
	case err != nil, m == nil, !hmac.Equal([]byte(q.Get("sig")), []byte(s.signed(r.URL.Path, q.Get("se")))):
		http.Error(w, "Signature did not match.", http.StatusForbidden)
	case s.Store.Now().Unix() >= until:
		http.Error(w, "Signature not valid in the specified time frame.", http.StatusForbidden)
	default:
		s.serveArchive(w, r, m)
	}
}

// serveArchive sends what a path names, which has been signed.
func (s *Server) serveArchive(w http.ResponseWriter, r *http.Request, m []string) {
	repo, kind := m[1], m[2]
	id, err := strconv.ParseInt(m[3], 10, 64)
	var text []byte
	if err == nil && kind == "runs" {
		text, err = zippedLogs(s.Store, repo, id)
	} else if err == nil {
		var x *state.Artifact
		if x, err = s.Store.Artifact(repo, id); err == nil {
			text = x.Zip
		}
	}
	if refusal, ok := errors.AsType[*state.Refusal](err); ok {
		http.Error(w, refusal.Message, refusal.Status)
		return
	}
	if err != nil {
		s.Logger.Error("read an archive", "path", r.URL.Path, "error", err)
		http.Error(w, "Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(text); err != nil {
		s.Logger.Debug("write an archive", "error", err)
	}
}
