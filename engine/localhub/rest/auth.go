package rest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func unauthorized(message string) *state.Refusal {
	return &state.Refusal{Status: http.StatusUnauthorized, Message: message}
}

// credential is the token of a request, however it is given.
func credential(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return strings.TrimSpace(value)
	case "basic":
		user, password, _ := r.BasicAuth()
		if password == "" || password == "x-oauth-basic" {
			return user
		}
		return password
	}
	return ""
}

// Actor finds who a request comes from. No credential at all is the anonymous actor; a wrong one is refused.
func Actor(store *state.Store, r *http.Request) (state.Actor, error) {
	if r.Header.Get("Authorization") == "" {
		return state.Actor{}, nil
	}
	token := credential(r)
	if a, ok := store.Authenticate(token); ok {
		return a, nil
	}
	if strings.Count(token, ".") == 2 && !strings.HasPrefix(token, "ghs_") {
		return appActor(store, token)
	}
	return state.Actor{}, unauthorized("Bad credentials")
}

// claims are those that GitHub asks for ("Generating a JSON Web Token for a GitHub App"). The times are numbers, which
// may have a fraction; the issuer is the App's id as a number or a text.
type claims struct {
	Issued  json.Number `json:"iat"`
	Expires json.Number `json:"exp"`
	Issuer  any         `json:"iss"`
}

// maxJWT bounds what is decoded; GitHub's own clients send about 400 bytes.
const maxJWT = 8 << 10

// appActor checks an App's JWT. It is RS256 or nothing, which leaves none of the choices that a general JWT library is
// for.
func appActor(store *state.Store, token string) (state.Actor, error) {
	parts := strings.SplitN(token, ".", 3)
	var head struct {
		Alg string `json:"alg"`
	}
	var c claims
	if len(token) > maxJWT || !decodePart(parts[0], &head) || !decodePart(parts[1], &c) || head.Alg != "RS256" {
		return state.Actor{}, unauthorized("A JSON web token could not be decoded")
	}
	app, err := issuer(store, c.Issuer)
	if err != nil {
		return state.Actor{}, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(app.Key, crypto.SHA256, sum[:], signature) != nil {
		return state.Actor{}, unauthorized("A JSON web token could not be decoded")
	}
	if err := checkTimes(c, store.Now()); err != nil {
		return state.Actor{}, err
	}
	return state.Actor{User: app.Bot, App: app}, nil
}

func decodePart(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, into) == nil
}

func issuer(store *state.Store, iss any) (*state.App, error) {
	var id int64
	switch v := iss.(type) {
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, unauthorized("'Issuer' claim ('iss') must be an Integer")
		}
		id = n
	case float64:
		if id = int64(v); float64(id) != v {
			return nil, unauthorized("'Issuer' claim ('iss') must be an Integer")
		}
	default:
		return nil, unauthorized("Missing 'issuer' claim ('iss') in assertion")
	}
	app, err := store.App(id)
	if err != nil {
		return nil, &state.Refusal{Status: http.StatusNotFound, Message: "Integration not found"}
	}
	return app, nil
}

const (
	maxLife = 10 * time.Minute
	maxTime = 1 << 40     // seconds: a time that a client may mean, and that fits
	drift   = time.Minute // GitHub says to issue 60 seconds in the past, so it allows for about as much
)

func checkTimes(c claims, now time.Time) error {
	iat, err := c.Issued.Float64()
	if err != nil || iat < 0 || iat > maxTime {
		return unauthorized("Missing 'issued at' claim ('iat') in assertion")
	}
	exp, err := c.Expires.Float64()
	if err != nil || exp < 0 || exp > maxTime {
		return unauthorized("Missing 'expiration' claim ('exp') in assertion")
	}
	issued, expires := time.Unix(int64(iat), 0), time.Unix(int64(exp), 0)
	switch {
	case issued.After(now.Add(drift)):
		return unauthorized("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case !expires.After(now):
		return unauthorized("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case expires.After(now.Add(maxLife + drift)):
		return unauthorized("'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}
