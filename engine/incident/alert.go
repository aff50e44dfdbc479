package incident

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// AlertStatus is what a monitoring tool says of a problem.
type AlertStatus string

// The two statuses of an alert.
const (
	Firing      AlertStatus = "firing"
	ResolvedNow AlertStatus = "resolved"
)

// Alert is what a monitoring tool sent about one problem. Its JSON form is schema.#Alert: runbooks refer to it. All text
// in it is foreign: it never formats, mentions or runs anything.
type Alert struct {
	Name        string            `json:"name"`
	Source      string            `json:"source"` // alertmanager, generic, manual
	Status      AlertStatus       `json:"status"`
	Fingerprint string            `json:"fingerprint"` // of this problem at its source
	Group       string            `json:"group"`       // key of the problem: alerts with the same key belong together
	Labels      map[string]string `json:"labels"`      // never nil
	Annotations map[string]string `json:"annotations"` // never nil
	StartsAt    time.Time         `json:"starts_at,omitzero"`
	URL         string            `json:"url,omitempty"` // where a person can look
	Alerts      []Member          `json:"alerts,omitempty"`
	Cut         int               `json:"cut,omitempty"` // members beyond the bound, counted only
}

// Member is one alert of a group.
type Member struct {
	Status      AlertStatus       `json:"status"`
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"starts_at,omitzero"`
}

// Digest identifies what the alert says. A repeat of the same notification has the same digest.
func (a Alert) Digest() string {
	b, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("incident: an alert is always JSON: %v", err)) // unreachable unless bug in this package
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ID names an incident: the day of its opening (UTC) and ten characters derived from the alert group and the group's
// previous incident, for example 20261122-k3jq5zabcd. It never holds a character of foreign text.
type ID string

var idPattern = regexp.MustCompile(`^[0-9]{8}-[a-z2-7]{10}$`)

// ParseID checks that s is an incident's name.
func ParseID(s string) (ID, error) {
	if !idPattern.MatchString(s) {
		return "", fmt.Errorf("incident name %q is not a date and ten characters, such as 20261122-k3jq5zabcd", s)
	}
	return ID(s), nil
}

// Slot is the ten characters that make two openings of one problem collide: they depend only on the group and on the
// group's previous incident, empty for the first.
func Slot(group string, previous ID) string {
	sum := sha256.Sum256([]byte(group + "\x00" + string(previous)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:10]
}

// NewID names the incident that takes slot on the day of now.
func NewID(slot string, now time.Time) ID { return ID(now.UTC().Format("20060102") + "-" + slot) }

// Slot returns the part of the name that follows the day.
func (id ID) Slot() string { return string(id)[9:] }

// Branch is the git branch of the incident. It does not hold the day, so that two openings around midnight collide.
func (id ID) Branch() string { return BranchPrefix + id.Slot() }

// BranchPrefix begins the name of every incident's branch.
const BranchPrefix = "incident/"

// Dir is the directory of the incident in the ledger, sharded by day, without a slash at its end.
func (id ID) Dir() string {
	s := string(id)
	return "incidents/" + s[:4] + "/" + s[4:6] + "/" + s[6:8] + "/" + s
}

// Takes reports whether a notification of its group belongs to the incident: it is open, which is to say that the problem is
// not over, or the notification is still about the problem that is.
func (s State) Takes(a Alert) bool {
	return s.End == "" && (s.MitigatedAt.IsZero() || s.Concerns(a))
}

// Tells reports whether the last notification of the incident told all that another one tells of what fires. It compares times by
// the millisecond: Alertmanager's API has no more.
func (s State) Tells(a Alert) bool {
	return s.Alert.Status == a.Status && !slices.ContainsFunc(a.Alerts, func(m Member) bool {
		return !slices.ContainsFunc(s.Alert.Alerts, func(k Member) bool {
			return k.Status == m.Status && k.Fingerprint == m.Fingerprint && k.StartsAt.Truncate(time.Millisecond).Equal(m.StartsAt.Truncate(time.Millisecond))
		})
	})
}

// Concerns reports whether a notification is still about the problem of a mitigated incident: it is resolved, it says
// nothing new, or what fires began before the problem was over. Anything else is the problem coming back.
func (s State) Concerns(a Alert) bool {
	return a.Status == ResolvedNow || s.Known[a.Digest()] || !a.StartsAt.IsZero() && a.StartsAt.Before(s.MitigatedAt)
}
