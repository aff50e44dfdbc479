package localhub_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// signed makes a JWT with any header and claims.
func signed(t *testing.T, key *rsa.PrivateKey, alg string, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(map[string]string{"alg": alg, "typ": "JWT"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// call makes a raw request and returns its status, header and body's message.
func (w *world) call(method, path, token, body string) (int, http.Header, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var o struct {
		Message string `json:"message"`
	}
	if resp.StatusCode >= 400 {
		if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
			w.t.Fatalf("%s %s: %d without a JSON body: %v", method, path, resp.StatusCode, err)
		}
	}
	return resp.StatusCode, resp.Header, o.Message
}

func TestJWT(t *testing.T) {
	w := newWorld(t, "")
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("cannot make a second key:", err)
	}
	now := time.Now().Unix()
	good := func() map[string]any { return map[string]any{"iat": now - 30, "exp": now + 300, "iss": "7"} }
	with := func(k string, v any) map[string]any { c := good(); c[k] = v; return c }
	for name, c := range map[string]struct {
		token  string
		status int
		part   string
	}{
		"good":             {signed(t, w.key, "RS256", good()), 200, ""},
		"number as issuer": {signed(t, w.key, "RS256", with("iss", 7)), 200, ""},
		"expired":          {signed(t, w.key, "RS256", with("exp", now-1)), 401, "'Expiration time' claim"},
		"too long":         {signed(t, w.key, "RS256", with("exp", now+3600)), 401, "too far in the future"},
		"not yet":          {signed(t, w.key, "RS256", with("iat", now+300)), 401, "'Issued at' claim"},
		"other key":        {signed(t, other, "RS256", good()), 401, "could not be decoded"},
		"other algorithm":  {signed(t, w.key, "HS256", good()), 401, "could not be decoded"},
		"none":             {signed(t, w.key, "none", good()), 401, "could not be decoded"},
		"unknown app":      {signed(t, w.key, "RS256", with("iss", "99")), 404, "Integration not found"},
		"no issuer":        {signed(t, w.key, "RS256", with("iss", nil)), 401, "issuer"},
		"half an issuer":   {signed(t, w.key, "RS256", with("iss", 7.5)), 401, "'Issuer' claim"},
		"issued too far":   {signed(t, w.key, "RS256", with("iat", 1e300)), 401, "'issued at' claim"},
		"ends too far":     {signed(t, w.key, "RS256", with("exp", 1e300)), 401, "'expiration' claim"},
		"ends before time": {signed(t, w.key, "RS256", with("exp", -1)), 401, "'expiration' claim"},
		"rubbish":          {"a.b.c", 401, "could not be decoded"},
		"user's token":     {"alice-token", 401, "could not be decoded"},
		"unknown token":    {"nobody-token", 401, "Bad credentials"},
	} {
		status, _, message := w.call("GET", "/api/v3/app", c.token, "")
		if status != c.status || !strings.Contains(message, c.part) {
			t.Errorf("%s: want %d with %q, got %d %q", name, c.status, c.part, status, message)
		}
	}
}

func TestInstallationTokens(t *testing.T) {
	w := newWorld(t, "")
	ctx := t.Context()
	apps := w.jwt(appID).Apps
	in, _, err := apps.FindRepositoryInstallation(ctx, "acme", "ops")
	if err != nil || in.GetID() != instID || in.GetAppSlug() != "pullbook" || in.GetRepositorySelection() != "selected" {
		t.Fatalf("installation: %v %v", in, err)
	}
	_, _, err = apps.FindRepositoryInstallation(ctx, "acme", "secret")
	wantRefusal(t, err, 404, "Not Found")
	_, _, err = apps.CreateInstallationToken(ctx, 800, nil)
	wantRefusal(t, err, 404, "Not Found")
	_, _, err = apps.CreateInstallationToken(ctx, instID, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Administration: github.String("write")}})
	wantRefusal(t, err, 422, "permissions requested are not granted")
	_, _, err = apps.CreateInstallationToken(ctx, instID, &github.InstallationTokenOptions{Repositories: []string{"secret"}})
	wantRefusal(t, err, 422, "does not exist or is not accessible")

	tok, _, err := apps.CreateInstallationToken(ctx, instID, &github.InstallationTokenOptions{
		Repositories: []string{"ops"}, Permissions: &github.InstallationPermissions{Contents: github.String("read")},
	})
	if err != nil || !strings.HasPrefix(tok.GetToken(), "ghs_") || len(tok.Repositories) != 1 || time.Until(tok.GetExpiresAt().Time) > time.Hour {
		t.Fatalf("token: %v %v", tok, err)
	}
	status, h, message := w.call("POST", "/api/v3/repos/acme/ops/pulls", tok.GetToken(), `{}`)
	if status != 403 || message != "Resource not accessible by integration" || h.Get("X-Accepted-GitHub-Permissions") != "pull_requests=write" {
		t.Fatalf("narrowed: %d %q %q", status, message, h.Get("X-Accepted-GitHub-Permissions"))
	}
	if status, _, _ := w.call("GET", "/api/v3/repos/acme/secret", tok.GetToken(), ""); status != 404 {
		t.Fatalf("another repository: %d", status)
	}
	if status, _, _ := w.call("DELETE", "/api/v3/installation/token", tok.GetToken(), ""); status != 204 {
		t.Fatalf("revoke: %d", status)
	}
	if status, _, _ := w.call("GET", "/api/v3/installation/repositories", tok.GetToken(), ""); status != 401 {
		t.Fatalf("revoked: %d", status)
	}
}

func TestPeopleAndTeams(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	for login, want := range map[string]string{"alice": "write", "carol": "admin", "mallory": "none"} {
		p, _, err := app.Repositories.GetPermissionLevel(ctx, "acme", "ops", login)
		if err != nil || p.GetPermission() != want || p.GetUser().GetLogin() != login || p.GetUser().GetID() == 0 {
			t.Errorf("%s: %v %v", login, p, err)
		}
	}
	members, _, err := app.Teams.ListTeamMembersBySlug(ctx, "acme", "sre", nil)
	if err != nil || len(members) != 2 || members[0].GetID() != 101 {
		t.Fatalf("members: %v %v", members, err)
	}
	if err := w.hub.SetTeam("acme", "sre", []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	_, _, err = app.Teams.GetTeamMembershipBySlug(ctx, "acme", "sre", "alice")
	wantRefusal(t, err, 404, "")
	me, _, err := w.user("alice").Users.Get(ctx, "")
	if err != nil || me.GetID() != 101 || me.GetName() != "Alice" {
		t.Fatalf("self: %v %v", me, err)
	}
	_, _, err = w.user("").Users.Get(ctx, "")
	wantRefusal(t, err, 401, "Requires authentication")
	_, _, err = w.user("mallory").Repositories.Get(ctx, "acme", "ops")
	wantRefusal(t, err, 404, "Not Found")
	_, _, err = w.user("mallory").Teams.GetTeamBySlug(ctx, "acme", "sre")
	wantRefusal(t, err, 404, "Not Found")
}

// A search shows an App no more than its token's permissions do.
func TestSearchKeepsToPermissions(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	if _, _, err := w.user("alice").Issues.Create(t.Context(), "acme", "ops", &github.IssueRequest{Title: github.String("Incident follow-up")}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		grants github.InstallationPermissions
		want   int
	}{
		{github.InstallationPermissions{Contents: github.String("read")}, 0},
		{github.InstallationPermissions{Issues: github.String("read")}, 1},
		{github.InstallationPermissions{PullRequests: github.String("read")}, 1},
		{github.InstallationPermissions{PullRequests: github.String("read"), Issues: github.String("read")}, 2},
	} {
		token, _, err := w.jwt(appID).Apps.CreateInstallationToken(t.Context(), instID, &github.InstallationTokenOptions{Permissions: &c.grants})
		if err != nil {
			t.Fatal(err)
		}
		client, err := w.client(http.DefaultTransport).WithAuthToken(token.GetToken()).WithEnterpriseURLs(w.url, w.url)
		if err != nil {
			t.Fatal(err)
		}
		found, _, err := client.Search.Issues(t.Context(), "incident", nil)
		if err != nil || found.GetTotal() != c.want {
			t.Errorf("%v: found %v, %v; want %d", token.Permissions, found.GetTotal(), err, c.want)
		}
	}
}
