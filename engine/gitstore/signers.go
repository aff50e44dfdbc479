package gitstore

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// namespace separates signatures on git objects from all others made with the
// same key (git's gpg-interface.c).
const namespace = "git"

// Key is who signed: the principal that allowed_signers gives the key, and
// the key's fingerprint as ssh-keygen prints it ("SHA256:...").
type Key struct {
	Principal, Fingerprint string
}

// AllowedSigners is a parsed allowed_signers file. The zero value allows
// nobody.
type AllowedSigners struct {
	lines []allowed
}

type allowed struct {
	principal     string
	key           ssh.PublicKey
	forGit        bool
	after, before time.Time // zero: unbounded; both bounds belong to the interval
}

// Errors of Verify that a caller tells apart.
var (
	ErrUnsigned  = errors.New("commit is not signed")
	ErrNoSigner  = errors.New("commit is not signed by an allowed key")
	errSignature = errors.New("signature is not valid")
)

// ParseAllowedSigners reads the file format of ssh-keygen(1), ALLOWED SIGNERS.
// It refuses the whole file when a line is not understood: options other than
// namespaces, valid-after and valid-before (cert-authority among them), a
// negated or quoted principal, or a time without the suffix Z, since
// ssh-keygen reads such a time in the zone of the machine it runs on.
// Keys of other types than ed25519 are kept but never match.
func ParseAllowedSigners(data []byte) (AllowedSigners, error) {
	const most = 1 << 20
	var a AllowedSigners
	if len(data) > most {
		return a, fmt.Errorf("read allowed signers: %d bytes, more than %d", len(data), most)
	}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.Trim(line, " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		parsed, err := parseAllowed(line)
		if err != nil {
			return AllowedSigners{}, fmt.Errorf("read allowed signers: line %d: %w", i+1, err)
		}
		a.lines = append(a.lines, parsed)
	}
	return a, nil
}

func parseAllowed(line string) (allowed, error) {
	for _, r := range line {
		if r < ' ' && r != '\t' || r == 0x7f {
			return allowed{}, fmt.Errorf("control character %q", r)
		}
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return allowed{}, fmt.Errorf("no key after the principal %q", clip(line))
	}
	a := allowed{principal: line[:end], forGit: true}
	if strings.ContainsAny(a.principal, `!"`) {
		return allowed{}, fmt.Errorf("principal %q: negation and quotes are not supported", clip(a.principal))
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line[end:]))
	if err != nil || len(rest) > 0 {
		return allowed{}, fmt.Errorf("no readable key for %q", clip(a.principal))
	}
	a.key = key
	if err := a.readOptions(options); err != nil {
		return allowed{}, fmt.Errorf("principal %q: %w", clip(a.principal), err)
	}
	if !a.after.IsZero() && !a.before.IsZero() && !a.after.Before(a.before) {
		return allowed{}, fmt.Errorf("principal %q: valid-after is not before valid-before", clip(a.principal))
	}
	return a, nil
}

func (a *allowed) readOptions(options []string) error {
	seen := map[string]bool{}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		name = strings.ToLower(name)
		if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || strings.Contains(value, `\`) {
			return fmt.Errorf("option %q is not supported", clip(option))
		}
		value = value[1 : len(value)-1]
		if seen[name] {
			return fmt.Errorf("option %q twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "namespaces":
			a.forGit, err = allowsGit(value)
		case "valid-after":
			a.after, err = parseStamp(value)
		case "valid-before":
			a.before, err = parseStamp(value)
		default:
			err = fmt.Errorf("option %q is not supported", clip(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// allowsGit reads the list of namespaces: literal names or "*".
func allowsGit(list string) (bool, error) {
	ok := false
	for _, name := range strings.Split(list, ",") {
		if name == "" || (name != "*" && strings.ContainsAny(name, "*?!")) {
			return false, fmt.Errorf("namespaces %q: patterns are not supported", clip(list))
		}
		ok = ok || name == namespace || name == "*"
	}
	return ok, nil
}

// parseStamp reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, then Z.
func parseStamp(s string) (time.Time, error) {
	stamp, utc := strings.CutSuffix(s, "Z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if utc && len(stamp) == len(layout) {
			t, err := time.Parse(layout, stamp)
			if err != nil {
				return time.Time{}, fmt.Errorf("time %q: %w", clip(s), err)
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want YYYYMMDD[HHMM[SS]]Z", clip(s))
}

// Keys gives every key of the file that may sign commits at some time, in
// the order of the file.
func (a AllowedSigners) Keys() []Key {
	var keys []Key
	for _, l := range a.lines {
		if l.usable() {
			keys = append(keys, l.named())
		}
	}
	return keys
}

// Allows reports whether the signer's key may sign commits at a time.
func (a AllowedSigners) Allows(s Signer, at time.Time) bool {
	_, ok := a.lookup(s.key.PublicKey(), at)
	return ok
}

func (l allowed) usable() bool { return l.forGit && l.key.Type() == ssh.KeyAlgoED25519 }

func (l allowed) named() Key {
	return Key{Principal: l.principal, Fingerprint: ssh.FingerprintSHA256(l.key)}
}

// Verify tells who signed c: ErrUnsigned without a signature, ErrNoSigner when
// the key is not allowed, or not at the committer's time, which is what git
// compares; another error when the signature is not a good one.
func (a AllowedSigners) Verify(c Commit) (Key, error) {
	if len(c.Sig) == 0 {
		return Key{}, fmt.Errorf("verify commit %s: %w", c.Hash, ErrUnsigned)
	}
	sig, err := unarmor(c.Sig)
	if err != nil {
		return Key{}, fmt.Errorf("verify commit %s: %w: %w", c.Hash, errSignature, err)
	}
	if sig.PublicKey.Type() != ssh.KeyAlgoED25519 {
		return Key{}, fmt.Errorf("verify commit %s: key type %s: %w", c.Hash, sig.PublicKey.Type(), ErrNoSigner)
	}
	// Looking the key up first makes strangers' commits cheap to refuse.
	l, ok := a.lookup(sig.PublicKey, c.Committer.When)
	if !ok {
		return Key{}, fmt.Errorf("verify commit %s: key %s: %w", c.Hash, ssh.FingerprintSHA256(sig.PublicKey), ErrNoSigner)
	}
	if err := sshsig.Verify(bytes.NewReader(c.payload), sig, l.key, sig.HashAlgorithm, namespace); err != nil {
		return Key{}, fmt.Errorf("verify commit %s: %w: %w", c.Hash, errSignature, err)
	}
	return l.named(), nil
}

// lookup finds the first line that lets the key sign commits at that time.
func (a AllowedSigners) lookup(key ssh.PublicKey, at time.Time) (allowed, bool) {
	wire := key.Marshal()
	for _, l := range a.lines {
		early, late := !l.after.IsZero() && at.Before(l.after), !l.before.IsZero() && at.After(l.before)
		if l.usable() && !early && !late && bytes.Equal(l.key.Marshal(), wire) {
			return l, true
		}
	}
	return allowed{}, false
}

// unarmor takes exactly one armored ssh signature and nothing around it.
func unarmor(armored []byte) (*sshsig.Signature, error) {
	block, rest := pem.Decode(armored)
	begin := []byte("-----BEGIN " + sshsig.PEMType + "-----\n")
	if block == nil || block.Type != sshsig.PEMType || len(block.Headers) > 0 || !bytes.HasPrefix(armored, begin) {
		return nil, errors.New("not an armored ssh signature")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("text after the ssh signature")
	}
	return sshsig.ParseSignature(block.Bytes)
}
