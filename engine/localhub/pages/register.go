package pages

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// An App is registered from a manifest as on GitHub ("Registering a GitHub App from a manifest"), and then installed:
//
//	another site posts a manifest ── offerManifest ── 303 ──> register: what the App may do
//	the person agrees ── postRegister ── 303 ──> the manifest's redirect_url?code=...&state=...
//	its program ── POST /app-manifests/{code}/conversions ──> the App's id, key and secrets
//	the person ── install, postInstall ──> the App on an account

// maxManifest bounds a manifest, which travels in an address.
const maxManifest = 64 << 10

// offerManifest takes a form of another site to a page of this one. A browser does not send our cookie with such a form, so
// nothing is done for anybody here, and the session stays as it is.
func (s *Site) offerManifest(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxManifest)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	q := url.Values{"manifest": {r.PostForm.Get("manifest")}, "state": {r.Form.Get("state")}}
	http.Redirect(w, r, r.URL.EscapedPath()+"?"+q.Encode(), http.StatusSeeOther)
}

type registerPage struct {
	state.Manifest
	Owner, Text, State string
	Grants             []string // "contents: write"
}

// register shows what an App would be to a person who may own it.
func register(v *visit) error {
	owner, err := v.manages(v.r.PathValue("org"))
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	p := registerPage{Owner: owner, Text: q.Get("manifest"), State: q.Get("state")}
	var back *url.URL
	if p.Manifest, back, err = readManifest(p.Text); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Permissions)) {
		p.Grants = append(p.Grants, name+": "+p.Permissions[name])
	}
	v.leadsTo = back.Scheme + "://" + back.Host
	return v.show("register", "Register an App", http.StatusOK, p)
}

// manages is the account that an App is to be of: an organisation that the viewer owns, or "" for the viewer.
func (v *visit) manages(account string) (string, error) {
	if v.actor.Anonymous() {
		return "", &state.Refusal{Status: http.StatusUnauthorized, Message: "Choose who you are first, and reload the page."}
	}
	if account == "" {
		return v.actor.User.Login, nil
	}
	if !slices.Contains(v.Store.ManagedAccounts(v.actor.User), account) {
		return "", state.NotFound()
	}
	return account, nil
}

// readManifest reads what the hub uses of a manifest; GitHub has further fields.
func readManifest(text string) (m state.Manifest, back *url.URL, err error) {
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, nil, state.Unprocessable("The manifest is no JSON object with the fields of an App.")
	}
	if back, err = url.Parse(m.Redirect); err != nil || (back.Scheme != "http" && back.Scheme != "https") || !hostForm.MatchString(back.Host) {
		return m, nil, state.Unprocessable("The manifest's redirect_url is no address to return to.")
	}
	return m, back, nil
}

// hostForm is what a host may be that stands in the page's policy.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// slugOf is how an App's name stands in addresses.
func slugOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}

func postRegister(v *visit) error {
	owner, err := v.manages(v.r.PostFormValue("owner"))
	if err != nil {
		return err
	}
	m, back, err := readManifest(v.r.PostFormValue("manifest"))
	if err != nil {
		return err
	}
	m.Name = v.text("name")
	code, err := v.Store.OfferManifest(owner, slugOf(m.Name), m)
	if err != nil {
		return fmt.Errorf("register %s: %w", m.Name, err)
	}
	q := back.Query()
	q.Set("code", code)
	if s := v.r.PostFormValue("state"); s != "" {
		q.Set("state", s)
	}
	back.RawQuery = q.Encode()
	http.Redirect(v.w, v.r, back.String(), http.StatusSeeOther)
	return nil
}

type installPage struct {
	App      state.App
	Accounts []string
	Repos    []string
}

// install asks where an App is to be installed, of people who own accounts.
func install(v *visit) error {
	if _, err := v.manages(""); err != nil {
		return err
	}
	a, err := v.Store.AppBySlug(v.r.PathValue("slug"))
	if err != nil {
		return err
	}
	p := installPage{App: *a, Accounts: v.Store.ManagedAccounts(v.actor.User)}
	for _, r := range v.Store.Repos(v.actor) {
		if slices.Contains(p.Accounts, r.Owner.Login) {
			p.Repos = append(p.Repos, r.FullName())
		}
	}
	return v.show("install", "Install "+a.Name, http.StatusOK, p)
}

func postInstall(v *visit) error {
	account, err := v.manages(v.r.PostFormValue("account"))
	if err != nil {
		return err
	}
	var repos []string
	for _, name := range v.r.PostForm["repository"] {
		if owner, _, _ := strings.Cut(name, "/"); !strings.EqualFold(owner, account) {
			return state.Unprocessable(name + " is not one of " + account + "'s repositories.")
		}
		repos = append(repos, name)
	}
	if _, err := v.Store.AddInstallation(v.actor, state.Install{App: v.r.PathValue("slug"), Account: account, Repositories: repos}); err != nil {
		return fmt.Errorf("install %s on %s: %w", v.r.PathValue("slug"), account, err)
	}
	http.Redirect(v.w, v.r, "/", http.StatusSeeOther)
	return nil
}
