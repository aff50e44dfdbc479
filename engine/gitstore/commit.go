package gitstore

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Signature is who wrote or committed something, by their own account. It
// proves nothing.
type Signature struct {
	Name, Email string
	When        time.Time // to the second, in the zone that was written down
}

// Commit is one commit object, read strictly.
type Commit struct {
	Hash, Tree        Hash
	Parents           []Hash
	Author, Committer Signature
	Message           string
	Sig               []byte   // the armored gpgsig header without its folding; nil if unsigned
	Extra             []string // names of the headers encoding and mergetag, if there

	payload []byte // what the signature is over: the raw bytes minus gpgsig
}

// maxCommitBytes bounds a commit object; a message of ours has some hundred.
const maxCommitBytes = 1 << 20

// ParseCommit reads the raw bytes of a commit object, without its "commit
// <size>" header. It is strict: tree, parents, author and committer in this
// order, then each of encoding and gpgsig at most once and any mergetags; no
// other header, no NUL anywhere, no CR in a header. Format: git's
// Documentation/gitformat-signature and fsck.c.
func ParseCommit(raw []byte) (Commit, error) {
	c := Commit{Hash: newObject(kindCommit, raw).id}
	if err := c.parse(raw); err != nil {
		return Commit{}, fmt.Errorf("parse commit %s: %w: %w", c.Hash, err, errMalformed)
	}
	return c, nil
}

func (c *Commit) parse(raw []byte) error {
	if len(raw) > maxCommitBytes {
		return fmt.Errorf("%d bytes, more than %d", len(raw), maxCommitBytes)
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return fmt.Errorf("holds a NUL byte")
	}
	end := bytes.Index(raw, []byte("\n\n"))
	if end < 0 {
		return fmt.Errorf("no empty line after the headers")
	}
	head := raw[:end+1]
	if bytes.IndexByte(head, '\r') >= 0 {
		return fmt.Errorf("carriage return in the headers")
	}
	c.Message = string(raw[end+2:])
	headers, err := splitHeaders(head)
	if err != nil {
		return err
	}
	if headers, err = c.parseFixed(headers); err != nil {
		return err
	}
	signed, err := c.parseOptional(headers)
	if err != nil {
		return err
	}
	// Cut the signature out of the bytes as they are: nothing is written anew.
	c.payload = bytes.Clone(raw)
	if signed.end > 0 {
		c.payload = slices.Concat(raw[:signed.start], raw[signed.end:])
	}
	return nil
}

// header is one header with its folded lines, and where it stands in the raw
// bytes, newline included.
type header struct {
	name, value string
	start, end  int
}

// splitHeaders takes the headers apart; a line that begins with a space
// continues the one before.
func splitHeaders(head []byte) ([]header, error) {
	var headers []header
	for pos := 0; pos < len(head); {
		end := pos + bytes.IndexByte(head[pos:], '\n') + 1
		for end < len(head) && head[end] == ' ' {
			end += bytes.IndexByte(head[end:], '\n') + 1
		}
		name, value, ok := strings.Cut(string(head[pos:end-1]), " ")
		if !ok || name == "" {
			return nil, fmt.Errorf("header %q has no name or no value", clip(name))
		}
		value = strings.ReplaceAll(value, "\n ", "\n")
		headers = append(headers, header{name: name, value: value, start: pos, end: end})
		pos = end
	}
	return headers, nil
}

// parseFixed reads tree, parents, author and committer and gives what follows.
func (c *Commit) parseFixed(headers []header) ([]header, error) {
	var err error
	next := func(name string) (string, error) {
		if len(headers) == 0 || headers[0].name != name {
			return "", fmt.Errorf("no %s header in its place", name)
		}
		value := headers[0].value
		headers = headers[1:]
		return value, nil
	}
	value, err := next("tree")
	if err != nil {
		return nil, err
	}
	if c.Tree, err = ParseHash(value); err != nil {
		return nil, fmt.Errorf("tree: %w", err)
	}
	for len(headers) > 0 && headers[0].name == "parent" {
		parent, err := ParseHash(headers[0].value)
		if err != nil {
			return nil, fmt.Errorf("parent: %w", err)
		}
		c.Parents = append(c.Parents, parent)
		headers = headers[1:]
	}
	for _, who := range []struct {
		name string
		sig  *Signature
	}{{"author", &c.Author}, {"committer", &c.Committer}} {
		if value, err = next(who.name); err != nil {
			return nil, err
		}
		if *who.sig, err = parseSignature(value); err != nil {
			return nil, fmt.Errorf("%s: %w", who.name, err)
		}
	}
	return headers, nil
}

// parseOptional reads the headers that may follow and gives the gpgsig one.
func (c *Commit) parseOptional(headers []header) (header, error) {
	var signed header
	for _, h := range headers {
		switch h.name {
		case "gpgsig":
			if signed.end > 0 {
				return header{}, fmt.Errorf("header gpgsig twice")
			}
			signed, c.Sig = h, []byte(h.value+"\n")
		case "encoding":
			if slices.Contains(c.Extra, h.name) {
				return header{}, fmt.Errorf("header encoding twice")
			}
			c.Extra = append(c.Extra, h.name)
		case "mergetag":
			c.Extra = append(c.Extra, h.name)
		default:
			return header{}, fmt.Errorf("header %q is unknown or out of place", clip(h.name))
		}
	}
	return signed, nil
}

// parseSignature reads "name <address> seconds zone".
func parseSignature(s string) (Signature, error) {
	bad := fmt.Errorf("%q is not of the form name <address> seconds zone", clip(s))
	name, rest, ok := strings.Cut(s, " <")
	if !ok || strings.ContainsAny(name, "<>\n") {
		return Signature{}, bad
	}
	email, stamp, ok := strings.Cut(rest, "> ")
	if !ok || strings.ContainsAny(email, "<>\n") {
		return Signature{}, bad
	}
	seconds, zone, ok := strings.Cut(stamp, " ")
	if !ok || len(zone) != 5 || (zone[0] != '+' && zone[0] != '-') || !digits(zone[1:]) || !digits(seconds) {
		return Signature{}, bad
	}
	// Beyond the year 9999 neither JSON nor a reader can use the time.
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || unix > 253402300799 || (len(seconds) > 1 && seconds[0] == '0') {
		return Signature{}, bad
	}
	hours, _ := strconv.Atoi(zone[1:3])
	minutes, _ := strconv.Atoi(zone[3:])
	offset := hours*3600 + minutes*60
	if zone[0] == '-' {
		offset = -offset
	}
	return Signature{Name: name, Email: email, When: time.Unix(unix, 0).In(time.FixedZone("", offset))}, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Identity is the name and address that the engine's commits carry.
type Identity struct{ Name, Email string }

func (id Identity) check() error {
	for _, s := range []string{id.Name, id.Email} {
		if s == "" || s != strings.TrimSpace(s) || !utf8.ValidString(s) || strings.ContainsAny(s, "<>\n\r\x00") {
			return fmt.Errorf("identity %q <%s>: a part is empty or has a character that git reserves", clip(id.Name), clip(id.Email))
		}
	}
	return nil
}

// draft is a commit about to be written.
type draft struct {
	tree, parent Hash // no parent: a root
	author       Identity
	when         time.Time
	message      string
}

// payload is the commit without its signature.
func (d draft) payload() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", d.tree)
	if !d.parent.IsZero() {
		fmt.Fprintf(&b, "parent %s\n", d.parent)
	}
	who := fmt.Sprintf("%s <%s> %d %s", d.author.Name, d.author.Email, d.when.Unix(), d.when.Format("-0700"))
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s", who, who, d.message)
	return b.Bytes()
}

// sign gives the raw bytes of the signed commit: the armored signature folded
// into a gpgsig header that stands last, where git puts it.
func (d draft) sign(s Signer) ([]byte, error) {
	payload := d.payload()
	sig, err := s.sign(payload)
	if err != nil {
		return nil, err
	}
	folded := strings.ReplaceAll(strings.TrimSuffix(string(sig), "\n"), "\n", "\n ")
	at := bytes.Index(payload, []byte("\n\n")) + 1
	return slices.Concat(payload[:at], []byte("gpgsig "+folded+"\n"), payload[at:]), nil
}

// links matches what git itself needs of a commit to walk over it.
var links = regexp.MustCompile(`^tree ([0-9a-f]{40})\n(?:parent [0-9a-f]{40}\n)*`)

// walkOver reads tree and parents of a commit that ParseCommit refused, so
// that a branch can be followed past it. Nothing else of it is believed.
func walkOver(id Hash, raw []byte) (Commit, bool) {
	match := links.FindSubmatch(raw)
	if match == nil {
		return Commit{}, false
	}
	c := Commit{Hash: id}
	for i, line := range strings.Split(strings.TrimSuffix(string(match[0]), "\n"), "\n") {
		_, hex, _ := strings.Cut(line, " ")
		h, err := ParseHash(hex)
		if err != nil {
			return Commit{}, false
		}
		if i == 0 {
			c.Tree = h
		} else {
			c.Parents = append(c.Parents, h)
		}
	}
	return c, true
}
