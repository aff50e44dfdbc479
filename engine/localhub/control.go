package localhub

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/faults"
	"github.com/pullbook/pullbook/engine/localhub/hooks"
	"github.com/pullbook/pullbook/engine/localhub/pages"
	"github.com/pullbook/pullbook/engine/localhub/rest"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// controlPrefix is where the hub's own API lies, which GitHub has nothing like.
const controlPrefix = "/_hub/"

// control answers the hub's own API. It is for programs on the same machine: a page of another site cannot send it
// anything, since that would need a content type that browsers ask about first, and a name for loopback.
func (h *Hub) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(controlPrefix+"faults", &h.faults)
	mux.HandleFunc("POST "+controlPrefix+"installations", h.install)
	mux.HandleFunc("GET "+controlPrefix+"verify", h.verify)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case !pages.Local(r):
			writeJSON(w, http.StatusForbidden, map[string]string{"message": "This works only on the machine that the hub runs on."})
		case r.Method == http.MethodPost && media != "application/json", r.Header.Get("Origin") != "":
			writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"message": "Send application/json, and not from a page."})
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// Faults are the rules by which things go wrong; what is added holds for later requests and webhooks.
func (h *Hub) Faults() *faults.Table { return &h.faults }

// disturb says what happens to a webhook.
func (h *Hub) disturb(event, action string) hooks.Disturbance {
	rule, met := h.faults.Webhook(event, action)
	if !met {
		return hooks.Disturbance{}
	}
	d := hooks.Disturbance{Lost: rule.Fault == faults.HookLost, Twice: rule.Fault == faults.HookDoubled, Swap: rule.Fault == faults.HookReordered}
	if rule.Fault == faults.HookDelayed {
		d.Delay = rule.Delay()
	}
	return d
}

// install puts an App onto an account, as its owner would on GitHub's pages.
func (h *Hub) install(w http.ResponseWriter, r *http.Request) {
	var in state.Install
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, rest.MaxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"message": fmt.Sprintf("read an installation: %v", err)})
		return
	}
	owner, err := h.store.Account(in.Account)
	if err != nil {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"message": fmt.Sprintf("no account %q", in.Account)})
		return
	}
	host := rest.HostOf(r)
	done, err := h.store.AddInstallation(state.Actor{User: owner, Base: string(host)}, in)
	var refusal *state.Refusal
	switch {
	case errors.As(err, &refusal):
		writeJSON(w, refusal.Status, map[string]string{"message": refusal.Message})
	case err != nil:
		h.config.Logger.Error("install an App", "error", err)
		writeJSON(w, http.StatusInternalServerError, map[string]string{"message": "Server Error"})
	default:
		writeJSON(w, http.StatusCreated, host.Installation(*done))
	}
}

// verify compares the state on disk with the one in memory.
func (h *Hub) verify(w http.ResponseWriter, _ *http.Request) {
	if err := h.store.Verify(); err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"same": true})
}
