package graphql

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/hiddeco/sshsig"
)

// unverified is what a GitSignature says on this hub, which knows nobody's signing keys.
type unverified struct {
	Email, Payload, Signature string
	IsValid                   bool
	Signer                    *user
	State                     string
}

// gpgSignature is GitHub's GpgSignature.
type gpgSignature struct {
	unverified
	KeyID *string
}

// sshSignature is GitHub's SshSignature. KeyFingerprint is the key's SHA-256 in hexadecimal digits.
type sshSignature struct {
	unverified
	KeyFingerprint *string
}

// smimeSignature is GitHub's SmimeSignature.
type smimeSignature struct{ unverified }

// Signature is the commit's signature, or null.
func (c *commit) Signature() *object {
	if c.c.Signature == "" {
		return nil
	}
	u := unverified{Email: c.c.Committer.Email, Payload: c.c.Payload, Signature: c.c.Signature, State: "UNKNOWN_KEY"}
	switch {
	case strings.HasPrefix(c.c.Signature, "-----BEGIN SSH SIGNATURE"):
		return &object{&sshSignature{u, fingerprint(c.c.Signature)}}
	case strings.HasPrefix(c.c.Signature, "-----BEGIN SIGNED MESSAGE"):
		return &object{&smimeSignature{u}}
	default:
		return &object{&gpgSignature{u, nil}}
	}
}

// fingerprint is of the key inside an ssh signature; null when the signature cannot be read.
func fingerprint(armored string) *string {
	sig, err := sshsig.Unarmor([]byte(armored))
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(sig.PublicKey.Marshal())
	text := hex.EncodeToString(sum[:])
	return &text
}
