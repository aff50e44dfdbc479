package audit

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/crypto/ssh"
)

// rotation writes a ledger whose keys change once between two incidents. The commit "keys" is key's; the second incident is
// signed by signer.
type rotation struct {
	name   string
	file   []byte
	key    ssh.Signer // nil: unsigned
	signer byte
	trust  []byte // none: no --trust
	commit string // empty: nothing is wrong
	why    string
}

func (r rotation) write(l *ledger) {
	l.begin()
	l.incident("", "group one")
	l.edits["keys"] = func(d *draft) { d.key = r.key }
	l.people("keys", map[string][]byte{keysPath: r.file})
	for _, name := range []string{"2-open", "2-gate", "2-approve", "2-end", "2-close"} {
		l.edits[name] = func(d *draft) { d.key = signerOf(r.signer) }
	}
	l.incident("2-", "group two")
	l.publish("")
}

func TestKeys(t *testing.T) {
	one, two, nine := signerOf(1), signerOf(2), signerOf(9)
	until := func(option string) []byte {
		return []byte(strings.Replace(string(allowing(one)), `namespaces="git"`, `namespaces="git",`+option, 1))
	}
	for _, r := range []rotation{
		{"second key under a trusted signature", allowing(one, two), one, 2, []byte{1}, "", ""},
		{"new key instead of the old", allowing(two), one, 2, []byte{1}, "", ""},
		{"without trust from outside", allowing(two), one, 2, nil, "", ""},
		{"unsigned", allowing(one, two), nil, 2, []byte{1}, "keys", "no trusted key signed"},
		{"unsigned, without trust from outside", allowing(one, two), nil, 1, nil, "keys", "no trusted key signed"},
		{"signed by a stranger", allowing(one, nine), nine, 1, []byte{1}, "keys", "no trusted key signed"},
		{"signed by the key itself", allowing(one, two), two, 2, []byte{1}, "keys", "no trusted key signed"},
		{"unsigned, but the auditor brought the key", allowing(one, two), nil, 2, []byte{1, 2}, "", ""},
		{"key allowed for longer", until(`valid-before="20990101Z"`), nil, 1, nil, "keys", "adds or changes the key"},
		{"file that cannot be read", []byte("nonsense\n"), one, 1, []byte{1}, "keys", "allowed signers"},
		{"comment", append([]byte("# the engine's\n"), allowing(one)...), nil, 1, []byte{1}, "", ""},
		{"key taken away by anybody", []byte("# none\n"), nil, 1, []byte{1}, "2-open", "did not allow"},
		{"key out of its time", until(`valid-before="20200101Z"`), one, 1, []byte{1}, "2-open", "did not allow"},
	} {
		t.Run(r.name, func(t *testing.T) {
			l := newLedger(t)
			r.write(l)
			report := verify(l, Options{Trust: trusting(r.trust...)})
			if r.commit == "" {
				if !report.OK() || len(report.Incidents) != 2 {
					t.Errorf("%+v", report)
				}
				return
			}
			expect(t, l, report, r.commit, r.why)
		})
	}
}

// A key that was never rightly added signs nothing, although the file names it.
func TestCommitsOfAKeyThatNobodySignedFor(t *testing.T) {
	l := newLedger(t)
	rotation{file: allowing(signerOf(1), signerOf(2)), signer: 2}.write(l)
	r := verify(l, Options{Trust: trusting(1)})
	if len(r.Findings) != 2 || l.name(r.Findings[1].Commit) != "2-open" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestKeysChangeWhileAnIncidentIsOpen(t *testing.T) {
	l := newLedger(t)
	l.begin()
	l.start("group one")
	l.opened("", "group one")
	l.gate("")
	l.edits["keys"] = func(d *draft) { d.key = signerOf(1) }
	l.people("keys", map[string][]byte{keysPath: allowing(signerOf(2))})
	for _, name := range []string{"approve", "end", "close"} {
		l.edits[name] = func(d *draft) { d.key = signerOf(2) }
	}
	l.approve("")
	l.end("")
	l.close("")
	l.merge("merge")
	l.publish("")
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || len(r.Keys) != 2 {
		t.Errorf("%+v", r)
	}
}

// A hub merges what a person signed: the merge itself bears no trusted signature.
func TestKeyThatCameByAPullRequest(t *testing.T) {
	for _, test := range []struct {
		name   string
		key    ssh.Signer
		file   []byte // in the merge
		commit string
	}{
		{"signed", signerOf(1), allowing(signerOf(1), signerOf(2)), ""},
		{"unsigned", nil, allowing(signerOf(1), signerOf(2)), "merge keys"},
		{"changed by the merge", signerOf(1), allowing(signerOf(1), signerOf(9)), "merge keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			l.begin()
			side := l.commit("side", draft{parents: []plumbing.Hash{l.main.hash}, tree: l.main.tree, key: test.key, message: "Add a key\n",
				files: map[string][]byte{keysPath: allowing(signerOf(1), signerOf(2))}})
			side = l.commit("side 2", draft{parents: []plumbing.Hash{side.hash}, tree: side.tree, message: "More\n", files: map[string][]byte{"x": nil}})
			l.people("docs", map[string][]byte{"README.md": []byte("x")})
			l.main = l.commit("merge keys", draft{parents: []plumbing.Hash{l.main.hash, side.hash}, tree: l.main.tree, message: "Merge\n",
				files: map[string][]byte{keysPath: test.file, "x": nil}})
			l.publish("")
			r := verify(l, Options{Trust: trusting(1)})
			if test.commit == "" && !r.OK() {
				t.Errorf("%+v", r.Findings)
			}
			if test.commit != "" {
				expect(t, l, r, test.commit, "no trusted key signed")
			}
		})
	}
}

func TestTrust(t *testing.T) {
	l := newLedger(t)
	l.whole()
	if r := verify(l, Options{}); !r.OK() || r.Trusted || r.Verdict() != "self-consistent; signer not independently trusted" {
		t.Errorf("without trust: %q, %+v", r.Verdict(), r.Findings)
	}
	expect(t, l, verify(l, Options{Trust: trusting(9)}), "root", "which the auditor does not trust")
	if r := verify(l, Options{Trust: trusting(9)}); len(r.Findings) != 3 {
		t.Errorf("a ledger of strangers: %d findings, want the key and both incidents", len(r.Findings))
	}
	if r := verify(l, Options{Trust: trusting(1, 9)}); !r.OK() {
		t.Errorf("one of two trusted keys: %+v", r.Findings)
	}
}

func TestFirstVersionWithAStranger(t *testing.T) {
	l := newLedger(t)
	l.edits["root"] = func(d *draft) { d.files[keysPath] = allowing(signerOf(1), signerOf(9)) }
	l.whole()
	r := verify(l, Options{Trust: trusting(1)})
	if len(r.Findings) != 1 || l.name(r.Findings[0].Commit) != "root" || len(r.Incidents) != 2 {
		t.Errorf("%+v", r)
	}
	l = newLedger(t)
	l.edits["root"] = func(d *draft) {
		d.files[keysPath], d.key = allowing(signerOf(1), signerOf(9)), signerOf(1)
	}
	l.whole()
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() {
		t.Errorf("a trusted key signed the first version: %+v", r.Findings)
	}
}

func TestLedgerWithoutKeys(t *testing.T) {
	l := newLedger(t)
	l.people("root", map[string][]byte{"README.md": []byte("x")})
	l.publish("")
	if r := verify(l, Options{Trust: trusting(1)}); r.OK() || r.Findings[0].Path != keysPath {
		t.Errorf("%+v", r)
	}
	if r := verify(l, Options{}); !r.OK() {
		t.Errorf("a repository without incidents: %+v", r)
	}
}

func TestIncidentBeforeThereWereKeys(t *testing.T) {
	l := newLedger(t)
	l.edits["root"] = func(d *draft) { delete(d.files, keysPath) }
	l.whole()
	expect(t, l, verify(l, Options{}), "open", "named no key")
}

func TestReadTrust(t *testing.T) {
	good := fingerprint(signerOf(1))
	if _, err := TrustKey(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "SHA256:", good[1:], good + "=", strings.ToLower(good), "MD5:00"} {
		if _, err := TrustKey(bad); err == nil {
			t.Errorf("%q was taken for a fingerprint", bad)
		}
	}
	trust, err := TrustFile(allowing(signerOf(1), signerOf(2)))
	if err != nil || len(trust.fingerprints) != 2 {
		t.Errorf("%v, %v", trust, err)
	}
	for _, bad := range []string{"", "# nobody\n", "nonsense\n", strings.Replace(string(allowing(signerOf(1))), `"git"`, `"file"`, 1)} {
		if _, err := TrustFile([]byte(bad)); err == nil {
			t.Errorf("%q was taken for trusted keys", bad)
		}
	}
}
