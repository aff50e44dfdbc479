package state

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// A Manifest describes an App to make, as "Registering a GitHub App from a manifest" has it.
type Manifest struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Description string            `json:"description"`
	Hook        ManifestHook      `json:"hook_attributes"`
	Events      []string          `json:"default_events"`
	Permissions map[string]string `json:"default_permissions"`
	Redirect    string            `json:"redirect_url"`
	Public      bool              `json:"public"`
}

// ManifestHook is where a manifest's webhooks go.
type ManifestHook struct {
	URL    string `json:"url"`
	Active *bool  `json:"active"`
}

// offer is a manifest that a person agreed to and whose code has not been used.
type offer struct {
	owner string
	slug  string
	Manifest
	expires time.Time
}

// ManifestLife is how long a manifest's code is good for, as on GitHub.
const ManifestLife = time.Hour

// OfferManifest keeps a manifest for the owner, a person or an organisation, and returns the code that turns it into an
// App. Codes do not outlive the hub.
func (s *Store) OfferManifest(owner, slug string, m Manifest) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[fold(owner)] == nil || !loginForm.MatchString(slug) || s.appBySlug(slug) != nil {
		return "", Invalid(Problem{Resource: "Integration", Field: "name", Code: "invalid"})
	}
	if err := checkHookURL(m.Hook.URL); err != nil {
		return "", Invalid(Problem{Resource: "Integration", Field: "hook_attributes", Code: "custom", Message: err.Error()})
	}
	for code, o := range s.offers {
		if !s.now().Before(o.expires) {
			delete(s.offers, code)
		}
	}
	code := secret()
	if s.offers == nil {
		s.offers = map[[sha256.Size]byte]offer{}
	}
	s.offers[sha256.Sum256([]byte(code))] = offer{owner: owner, slug: slug, Manifest: m, expires: s.now().Add(ManifestLife)}
	return code, nil
}

// A Registered is a fresh App with what is told only once. PEM is its private key.
type Registered struct {
	App           App
	PEM           string
	ClientSecret  string
	WebhookSecret string
}

// ConvertManifest makes the App of a code, which works once.
func (s *Store) ConvertManifest(code string) (*Registered, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the key of an app: %w", err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	out, err := s.convert(code, text)
	if err != nil {
		return nil, err
	}
	out.PEM = text
	return out, nil
}

func (s *Store) convert(code, key string) (_ *Registered, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	sum := sha256.Sum256([]byte(code))
	o, ok := s.offers[sum]
	if !ok || !s.now().Before(o.expires) {
		return nil, NotFound()
	}
	out := &Registered{ClientSecret: secret()}
	x := SeedApp{
		Slug: o.slug, Name: o.Name, Description: o.Description, Owner: o.owner, Key: key, Permissions: o.Permissions, Events: o.Events,
	}
	if o.Hook.URL != "" && (o.Hook.Active == nil || *o.Hook.Active) {
		out.WebhookSecret = secret()
		x.Webhook = SeedWebhook{URL: o.Hook.URL, Secret: out.WebhookSecret}
	}
	if err := s.seedApp(x); err != nil {
		return nil, Unprocessable(err.Error())
	}
	delete(s.offers, sum)
	app := s.appBySlug(o.slug)
	s.saveAccount(&app.Bot)
	s.saveApp(app)
	out.App = *app
	return out, nil
}
