package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// tokenLife is how long a page's forms can be sent.
const tokenLife = 24 * time.Hour

// spent remembers the form tokens that did something, so that a form that is sent again does nothing.
type spent struct {
	mu     sync.Mutex
	until  map[string]time.Time // by nonce: when the token would have ended anyway
	pruned time.Time
}

// take says whether a token was unspent, and spends it.
func (s *spent) take(nonce string, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.pruned) > time.Hour {
		s.pruned = now
		for n, end := range s.until {
			if end.Before(now) {
				delete(s.until, n)
			}
		}
	}
	if _, ok := s.until[nonce]; ok {
		return false
	}
	s.until[nonce] = until
	return true
}

// giveBack makes a token good again: its form did nothing, and the person may mend and send it.
func (s *spent) giveBack(nonce string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, nonce)
}

// token is "nonce.end.signature" for one form of one session.
func (v *visit) token() string {
	var b [12]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	nonce, end := base64.RawURLEncoding.EncodeToString(b[:]), strconv.FormatInt(v.Store.Now().Add(tokenLife).Unix(), 36)
	return nonce + "." + end + "." + v.sign("form", v.session, nonce, end)
}

// spend checks that a form's token is of this session and was not used, and uses it up.
func (v *visit) spend(token string) (nonce string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !hmac.Equal([]byte(parts[2]), []byte(v.sign("form", v.session, parts[0], parts[1]))) {
		return "", &state.Refusal{Status: http.StatusForbidden, Message: "This form is not from your session. Go back, reload the page and send it again."}
	}
	end, err := strconv.ParseInt(parts[1], 36, 64)
	now := v.Store.Now()
	if until := time.Unix(end, 0); err != nil || until.Before(now) {
		return "", &state.Refusal{Status: http.StatusForbidden, Message: "This form is too old. Go back, reload the page and send it again."}
	} else if !v.spent.take(parts[0], until, now) {
		return "", &state.Refusal{Status: http.StatusConflict, Message: "This form was sent already, and is not carried out twice. Go back and reload the page."}
	}
	return parts[0], nil
}
