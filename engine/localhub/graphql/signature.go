package graphql

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"strings"
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

// fingerprint is of the key inside an ssh signature, which follows magic and version (OpenSSH, PROTOCOL.sshsig); null when
// the signature cannot be read.
func fingerprint(armored string) *string {
	const magic = "SSHSIG"
	block, _ := pem.Decode([]byte(armored))
	if block == nil || len(block.Bytes) < len(magic)+8 || string(block.Bytes[:len(magic)]) != magic {
		return nil
	}
	rest := block.Bytes[len(magic)+4:]
	n := uint64(binary.BigEndian.Uint32(rest))
	if uint64(len(rest)) < 4+n {
		return nil
	}
	sum := sha256.Sum256(rest[4 : 4+n])
	text := hex.EncodeToString(sum[:])
	return &text
}
