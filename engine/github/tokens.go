package github

import (
	"context"
	"net/http"
	"sync"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// tokens signs requests with the installation's token. The library renews a token before it ends, but keeps one that the
// hub has revoked; here an answer 401 drops it, so that the next request asks for another.
type tokens struct {
	fresh func() (*ghinstallation.Transport, error)

	mu      sync.Mutex
	current *ghinstallation.Transport
	given   string                    // the last token that was handed out
	giver   *ghinstallation.Transport // and whose it is
}

func (t *tokens) get() *ghinstallation.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// token hands a token out to who signs with it elsewhere, and says so if it is refused there: see reject.
func (t *tokens) token(ctx context.Context) (string, error) {
	signer := t.get()
	token, err := signer.Token(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given, t.giver = token, signer
	return token, nil
}

// reject drops a token that was handed out, unless it is another one by now.
func (t *tokens) reject(token string) {
	t.mu.Lock()
	is, giver := token == t.given, t.giver
	t.mu.Unlock()
	if is {
		t.drop(giver)
	}
}

func (t *tokens) RoundTrip(req *http.Request) (*http.Response, error) {
	signer := t.get()
	resp, err := signer.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.drop(signer)
	}
	return resp, err
}

// drop forgets the signer, unless another request has done so already.
func (t *tokens) drop(signer *ghinstallation.Transport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != signer {
		return
	}
	if next, err := t.fresh(); err == nil { // unreachable otherwise: the key was read before
		t.current = next
	}
}
