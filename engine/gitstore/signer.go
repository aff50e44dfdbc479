package gitstore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Signer holds the engine's private key.
type Signer struct {
	key ssh.Signer
}

// GenerateSigner makes a new ed25519 key and writes it to path in OpenSSH's
// format, mode 0600, unencrypted. It refuses to replace a file.
func GenerateSigner(path, comment string) (Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Signer{}, fmt.Errorf("generate signing key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return Signer{}, fmt.Errorf("encode signing key: %w", err)
	}
	if err := writeNew(path, pem.EncodeToMemory(block)); err != nil {
		return Signer{}, fmt.Errorf("write signing key: %w", err)
	}
	return newSigner(private)
}

// writeNew creates the file and makes it durable, or leaves nothing behind.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

// LoadSigner reads an unencrypted ed25519 key in OpenSSH's format. Like ssh it
// refuses a file that others than its owner may read.
func LoadSigner(path string) (Signer, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return Signer{}, fmt.Errorf("load signing key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Signer{}, fmt.Errorf("load signing key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return Signer{}, fmt.Errorf("load signing key %s: mode %s, want a regular file with mode 0600", path, info.Mode())
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return Signer{}, fmt.Errorf("load signing key: %w", err)
	}
	raw, err := ssh.ParseRawPrivateKey(data)
	if err != nil {
		return Signer{}, fmt.Errorf("load signing key %s: %w", path, err)
	}
	private, ok := raw.(*ed25519.PrivateKey)
	if !ok {
		return Signer{}, fmt.Errorf("load signing key %s: not an ed25519 key", path)
	}
	return newSigner(*private)
}

func newSigner(private ed25519.PrivateKey) (Signer, error) {
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Signer{}, fmt.Errorf("use signing key: %w", err)
	}
	return Signer{key: key}, nil
}

// Fingerprint is the public key's, as ssh-keygen prints it ("SHA256:...").
func (s Signer) Fingerprint() string { return ssh.FingerprintSHA256(s.key.PublicKey()) }

// AllowedLine is the line of an allowed_signers file, newline included, that
// lets this key sign commits as principal, for example "pullbook@acme.test".
func (s Signer) AllowedLine(principal string) string {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.key.PublicKey())))
	return fmt.Sprintf("%s namespaces=%q %s\n", principal, namespace, public)
}

// sign gives the armored signature. ed25519 is deterministic, so equal bytes
// give an equal signature and an equal commit id.
func (s Signer) sign(payload []byte) ([]byte, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), s.key, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fmt.Errorf("sign commit: %w", err)
	}
	return sshsig.Armor(sig), nil
}
