package audit

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

// Options say what to verify and whom to trust.
type Options struct {
	Trust    Trust       // zero: nobody is trusted from outside
	Incident incident.ID // empty: all
}

// Trust is the keys that the auditor brought.
type Trust struct {
	fingerprints map[string]bool
}

// TrustKey trusts one key by its fingerprint as ssh-keygen prints it, for example "SHA256:47DEQpj8HBSa...".
func TrustKey(fingerprint string) (Trust, error) {
	const prefix, length = "SHA256:", 43 // 32 bytes in base64 without padding
	rest, ok := strings.CutPrefix(fingerprint, prefix)
	if !ok || len(rest) != length {
		return Trust{}, fmt.Errorf("fingerprint %q is not of the form SHA256: and %d characters", fingerprint, length)
	}
	return Trust{map[string]bool{fingerprint: true}}, nil
}

// TrustFile trusts the keys of a file in the format of allowed_signers that may sign commits.
func TrustFile(data []byte) (Trust, error) {
	signers, err := gitstore.ParseAllowedSigners(data)
	if err != nil {
		return Trust{}, fmt.Errorf("trusted keys: %w", err)
	}
	t := Trust{map[string]bool{}}
	for _, key := range signers.Keys() {
		t.fingerprints[key.Fingerprint] = true
	}
	if len(t.fingerprints) == 0 {
		return Trust{}, fmt.Errorf("trusted keys: the file holds no ed25519 key that may sign commits")
	}
	return t, nil
}

func (t Trust) given() bool { return len(t.fingerprints) > 0 }

// Finding is one commit that is wrong.
type Finding struct {
	Commit   string      `json:"commit,omitempty"` // empty: the clone as a whole
	Incident incident.ID `json:"incident,omitempty"`
	Path     string      `json:"path,omitempty"`
	Why      string      `json:"why"` // one sentence, lower case, no period
}

// String gives the finding on one line.
func (f Finding) String() string {
	parts := []string{}
	if f.Commit != "" {
		parts = append(parts, "commit "+f.Commit)
	}
	if f.Incident != "" {
		parts = append(parts, string(f.Incident))
	}
	if f.Path != "" {
		parts = append(parts, fmt.Sprintf("%q", f.Path)) // quoted: a name of foreign making steers no terminal
	}
	return strings.Join(append(parts, f.Why), ": ")
}

// Incident is one incident that was verified.
type Incident struct {
	ID      incident.ID  `json:"id"`
	Runbook string       `json:"runbook"`
	End     incident.End `json:"end,omitempty"`   // empty while open
	Merge   string       `json:"merge,omitempty"` // commit of the main line; empty: not merged yet
	Commits int          `json:"commits"`
	Events  int          `json:"events"`
	Votes   int          `json:"votes"` // approvals that opened gates

	Rehearsal bool `json:"rehearsal,omitempty"` // nothing was changed: it counts in no number of incidents
}

// Report is what Verify found.
type Report struct {
	Branch    string     `json:"branch"`  // the default branch
	Tip       string     `json:"tip"`     // its newest commit
	Commits   int        `json:"commits"` // of the main line
	Incidents []Incident `json:"incidents"`
	Keys      []string   `json:"keys"`     // fingerprints of the keys that signed the incidents' commits, sorted
	Trusted   bool       `json:"trusted"`  // the auditor brought a key
	Findings  []Finding  `json:"findings"` // oldest first on the main line, then the open branches, then locks of two incidents; empty: nothing is wrong
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Verdict is the answer in a few words.
func (r Report) Verdict() string {
	switch {
	case !r.OK():
		return "wrong"
	case r.Trusted:
		return "verified"
	}
	return "self-consistent; signer not independently trusted"
}

// Verify checks the whole history of the default branch and every open incident branch that the clone holds.
func Verify(clone *gitstore.Clone, o Options) (report Report) {
	a := &auditor{clone: clone, options: o, seen: map[gitstore.Hash]bool{}, signed: map[string]bool{}}
	a.report = Report{Trusted: o.Trust.given(), Incidents: []Incident{}, Keys: []string{}, Findings: []Finding{}}
	defer func() {
		if broke := recover(); broke != nil { // a verifier that dies must not look like one that found nothing
			a.report.Findings = append(a.report.Findings, Finding{Why: fmt.Sprintf("the verifier failed: %v", broke)})
			report = a.report
		}
	}()
	if f := a.verify(); f != nil {
		a.report.Findings = append(a.report.Findings, *f)
	}
	return a.report
}
