package audit

import (
	"errors"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/gitstore"
)

// keysPath names the keys that sign the ledger.
const keysPath = ".pullbook/allowed_signers"

// version is the keys that are in force from one commit of the main line on. A version that nobody trusted signed for is
// a finding and never comes into force.
type version struct {
	from    int
	blob    gitstore.Hash
	lines   []string
	signers gitstore.AllowedSigners
	trusted map[string]bool // fingerprints
}

// people verifies a commit of people's: where it changes the signing keys, what it adds must be signed for.
func (a *auditor) people(i int, changes []gitstore.FileChange) *Finding {
	at := slices.IndexFunc(changes, func(f gitstore.FileChange) bool { return f.Path == keysPath })
	if at < 0 {
		return nil
	}
	c := a.line[i]
	next := version{from: i, blob: changes[at].New.Blob}
	if !next.blob.IsZero() {
		data, err := a.clone.Blob(next.blob)
		if err != nil {
			return unreadable(c.Hash, err)
		}
		if next.signers, err = gitstore.ParseAllowedSigners(data); err != nil {
			return wrong(c.Hash, keysPath, "%v", err)
		}
		next.lines = linesOf(string(data))
	}
	return a.admit(c, next)
}

// admit puts a version into force. Lines may go by anybody's hand: that only takes trust away. A line that is new, a
// changed one included, needs the auditor's own trust in its key or a commit that a trusted key signed.
func (a *auditor) admit(c gitstore.Commit, next version) *Finding {
	first := len(a.keyring) == 0
	before := version{signers: next.signers, trusted: a.options.Trust.fingerprints}
	if !first {
		before = a.keyring[len(a.keyring)-1]
	}
	stranger, err := a.stranger(next.lines, before.lines)
	if err != nil {
		return wrong(c.Hash, keysPath, "%v", err)
	}
	signed := first && !a.options.Trust.given() || stranger != "" && a.signedChange(c, next.blob, before)
	if stranger != "" && !signed && !first {
		return wrong(c.Hash, keysPath, "it adds or changes the key %s, and no trusted key signed that", stranger)
	}
	next.trusted = map[string]bool{}
	for _, key := range next.signers.Keys() {
		if signed || before.trusted[key.Fingerprint] || a.options.Trust.fingerprints[key.Fingerprint] {
			next.trusted[key.Fingerprint] = true
		}
	}
	a.keyring = append(a.keyring, next)
	if stranger != "" && !signed {
		return wrong(c.Hash, keysPath, "it begins with the key %s, which the auditor does not trust", stranger)
	}
	return nil
}

// stranger is the first key on a new line that the auditor did not bring, or empty.
func (a *auditor) stranger(lines, before []string) (string, error) {
	var added []string
	for _, l := range lines {
		if !slices.Contains(before, l) {
			added = append(added, l)
		}
	}
	signers, err := gitstore.ParseAllowedSigners([]byte(strings.Join(added, "\n")))
	if err != nil {
		return "", err
	}
	for _, key := range signers.Keys() {
		if !a.options.Trust.fingerprints[key.Fingerprint] {
			return key.Fingerprint, nil
		}
	}
	return "", nil
}

func linesOf(data string) []string {
	var out []string
	for line := range strings.Lines(data) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

// signedChange reports whether a trusted key signed for the new keys: the commit itself, or, where a hub merged a branch
// of people's, every commit of that branch that changed the file, and the merge took it over as it was.
func (a *auditor) signedChange(c gitstore.Commit, blob gitstore.Hash, before version) bool {
	if before.signs(c) {
		return true
	}
	if len(c.Parents) != 2 {
		return false
	}
	now := blob
	for id := c.Parents[1]; ; {
		step, err := a.clone.Commit(id)
		if err != nil {
			return false
		}
		at, err := a.keysAt(step.Tree)
		if err != nil || at != now {
			return false // the merge itself made the file what it is
		}
		if at == before.blob {
			return true
		}
		if _, onLine := a.place[id]; onLine || len(step.Parents) == 0 {
			return false
		}
		parent, err := a.clone.Commit(step.Parents[0])
		if err != nil {
			return false
		}
		was, err := a.keysAt(parent.Tree)
		if err != nil || was != at && !before.signs(step) {
			return false
		}
		now, id = was, parent.Hash
	}
}

// keysAt is the blob of the keys in a tree; zero when there is none.
func (a *auditor) keysAt(tree gitstore.Hash) (gitstore.Hash, error) {
	entries, err := a.clone.Entries(tree, keysPath)
	if errors.Is(err, gitstore.ErrNotFound) {
		return gitstore.Hash{}, nil
	}
	return entries[keysPath].Blob, err
}

// signs reports whether a trusted key of this version signed c.
func (v version) signs(c gitstore.Commit) bool {
	key, err := v.signers.Verify(c)
	return err == nil && v.trusted[key.Fingerprint]
}

// signature checks that a key that was in force at some time between two places of the main line signed c. Keys change
// while an incident is open, so a trail may hold commits of the old and of the new key: a key that was taken away still
// counts for the incidents that began before.
func (a *auditor) signature(c gitstore.Commit, from, to int) *Finding {
	why := wrong(c.Hash, "", "it is signed, but %s named no key at that time", keysPath)
	if len(c.Sig) == 0 {
		return wrong(c.Hash, "", "it is not signed")
	}
	for i, v := range a.keyring {
		if v.from > to || i+1 < len(a.keyring) && a.keyring[i+1].from <= from {
			continue
		}
		key, err := v.signers.Verify(c)
		switch {
		case err == nil && v.trusted[key.Fingerprint]:
			a.signed[key.Fingerprint] = true
			return nil
		case err == nil:
			why = wrong(c.Hash, "", "it is signed by the key %s, which is not trusted", key.Fingerprint)
		case errors.Is(err, gitstore.ErrNoSigner):
			why = wrong(c.Hash, "", "it is signed by a key that %s did not allow", keysPath)
		default:
			why = wrong(c.Hash, "", "%v", err)
		}
	}
	return why
}
