package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// Asked is an Alertmanager that can be asked what fires.
type Asked struct {
	URL      *url.URL // of its root; a user and a password in it are shown to it
	Receiver string   // the receiver by which it notifies the engine: what only others are told is none of the engine's business
}

// Answer is what an Alertmanager says that fires.
type Answer struct {
	Alerts []incident.Alert // as its notifications would say, one a group
	Left   []string         // why a group is not among them, each safe to log
}

const (
	askTime   = 20 * time.Second // for one question
	maxAnswer = 64 << 20         // bytes
)

// Firing asks what fires now and is neither silenced nor inhibited (https://github.com/prometheus/alertmanager, api/v2). Alertmanager's
// API does not give the key that its notifications have for a group, so the key is worked out from its routes. It leaves out what
// Alertmanager itself would not have notified yet, or may not: a group that is younger than the route's group_wait at now, and
// one whose route is muted at some times, since the API does not tell at which.
func (a Asked) Firing(ctx context.Context, now time.Time) (Answer, error) {
	var status struct {
		Config struct {
			Original string `json:"original"`
		} `json:"config"`
	}
	if err := a.get(ctx, "api/v2/status", nil, &status); err != nil {
		return Answer{}, err
	}
	root, err := parseRoutes(status.Config.Original)
	if err != nil {
		return Answer{}, err
	}
	if !root.leadsTo(a.Receiver) {
		return Answer{}, fault("Alertmanager at "+a.URL.Redacted(), "has no route to a receiver "+quote(a.Receiver), "name the receiver that posts to the engine")
	}
	var groups []amGroup
	query := url.Values{"active": {"true"}, "silenced": {"false"}, "inhibited": {"false"}}
	if err := a.get(ctx, "api/v2/alerts/groups", query, &groups); err != nil {
		return Answer{}, err
	}
	var out Answer
	told := map[string]bool{} // routes that group alike give the same group more than once
	for _, g := range groups {
		if g.Receiver.Name != a.Receiver || len(g.Alerts) == 0 {
			continue
		}
		routes := slices.DeleteFunc(root.of(g.Alerts[0].Labels), func(r *amRoute) bool {
			return r.Receiver != a.Receiver || !maps.Equal(r.group(g.Alerts[0].Labels), g.Labels)
		})
		if len(routes) == 0 {
			out.Left = append(out.Left, "no route that is understood makes the group "+quote(fmt.Sprint(g.Labels)))
		}
		for _, r := range routes {
			if key := r.groupKey(g.Labels); !told[key] {
				told[key] = true
				out.take(g, r, now)
			}
		}
	}
	return out, nil
}

// take adds what a notification about a group of a route would say.
func (out *Answer) take(g amGroup, r *amRoute, now time.Time) {
	key := r.groupKey(g.Labels)
	if len(r.Muted)+len(r.Active) > 0 {
		out.Left = append(out.Left, "the route of "+quote(key)+" is muted at some times")
		return
	}
	if !slices.ContainsFunc(g.Alerts, func(a amAlert) bool { return !a.StartsAt.Add(r.wait).After(now) }) {
		return // Alertmanager is about to notify
	}
	body, err := json.Marshal(g.notification(key))
	if err == nil {
		var root any
		if root, err = decode(body); err == nil {
			var alerts []incident.Alert
			alerts, err = parseAlertmanager(root)
			out.Alerts = append(out.Alerts, alerts...)
		}
	}
	if err != nil {
		out.Left = append(out.Left, "the group "+quote(key)+" cannot be read: "+err.Error())
	}
}

// amGroup is a group of alerts of one receiver, as the API gives it.
type amGroup struct {
	Labels   map[string]string `json:"labels"`
	Receiver struct {
		Name string `json:"name"`
	} `json:"receiver"`
	Alerts []amAlert `json:"alerts"`
}

// amAlert has the same names in the API and in a notification, but for the status.
type amAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// UnmarshalJSON leaves out the status that an alert has in the API, where it is an object. Only what is active was asked for.
func (a *amAlert) UnmarshalJSON(text []byte) error {
	type plain amAlert
	var v struct {
		plain
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	*a = amAlert(v.plain)
	a.Status = string(incident.Firing)
	return nil
}

// notification is what Alertmanager would post about the group.
func (g amGroup) notification(key string) any {
	var labels, notes []map[string]string
	for _, a := range g.Alerts {
		labels, notes = append(labels, a.Labels), append(notes, a.Annotations)
	}
	return map[string]any{"version": "4", "receiver": g.Receiver.Name, "groupKey": key, "status": incident.Firing,
		"commonLabels": common(labels), "commonAnnotations": common(notes), "alerts": g.Alerts}
}

// common returns what all have, with one value.
func common(all []map[string]string) map[string]string {
	out := maps.Clone(all[0])
	if out == nil {
		out = map[string]string{}
	}
	for _, m := range all[1:] {
		maps.DeleteFunc(out, func(name, value string) bool {
			other, has := m[name]
			return !has || other != value
		})
	}
	return out
}

// get asks one question.
func (a Asked) get(ctx context.Context, path string, query url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	at := a.URL.JoinPath(path)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fmt.Errorf("ask Alertmanager: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask Alertmanager: %w", err) // net/http leaves the password out
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read Alertmanager's answer at %s: %w", at.Redacted(), err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("ask Alertmanager at %s: it answered %s: %s", at.Redacted(), resp.Status, line(string(body[:min(len(body), MaxName)]), MaxName))
	case len(body) > maxAnswer:
		return fmt.Errorf("ask Alertmanager at %s: it answered more than %d bytes", at.Redacted(), maxAnswer)
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(answer); err != nil {
		return fmt.Errorf("read Alertmanager's answer at %s: %w", at.Redacted(), err)
	}
	return nil
}

// ParseAsked reads the address of an Alertmanager.
func ParseAsked(address, receiver string) (Asked, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(address, "?#") {
		return Asked{}, fault("address of Alertmanager", "is not one", "it is like https://alertmanager.example.com")
	}
	return Asked{URL: u, Receiver: receiver}, nil
}
