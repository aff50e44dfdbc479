package step

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// The stream is written in blocks of every kind of size; what is kept must not depend on them.
func TestCaptureKeepsHeadAndTail(t *testing.T) {
	var stream bytes.Buffer
	for i := range 4000 {
		fmt.Fprintf(&stream, "%04d ", i)
	}
	data := stream.Bytes()
	sum := sha256.Sum256(data)
	for _, block := range []int{1, 7, 100, 163, 164, 165, 1000, len(data)} {
		c := newCapture(100, 64)
		for rest := data; len(rest) > 0; {
			n := min(block, len(rest))
			_, _ = c.Write(rest[:n])
			rest = rest[n:]
		}
		text := c.text(veil{})
		first, last, _ := strings.Cut(text, "\n[cut here: 20000 bytes in all, sha256 "+hex.EncodeToString(sum[:])+"]\n")
		if first != string(data[:50]) || last != string(data[len(data)-50:]) {
			t.Errorf("blocks of %d: %q", block, text)
		}
	}
}

func TestCaptureWithinItsLimit(t *testing.T) {
	for size := range 12 {
		c := newCapture(10, 3)
		_, _ = c.Write([]byte(strings.Repeat("x", size)))
		_, isCut := c.cut("log")
		if _, whole := c.all(); whole != (size <= 10) || isCut != (size > 10) {
			t.Errorf("%d bytes of 10: whole %v, cut %v", size, whole, isCut)
		}
		if size <= 10 && c.text(veil{}) != strings.Repeat("x", size) {
			t.Errorf("%d bytes: %q", size, c.text(veil{}))
		}
	}
}

// The secret is moved byte by byte over every border: of what is shown, and of what is kept. No part of it may show,
// not even when nothing of what surrounds it is shown.
func TestCaptureCoversSecretsAcrossTheCut(t *testing.T) {
	const value = "QWERTYUIOPASDFGHJKLZ"
	v := newVeil([]secret{{"k", value}})
	for _, fill := range []string{".", "\x00"} {
		for _, size := range []int{1 << 10, 20 << 10} {
			room := newCapture(400, v.margin).room()
			for _, border := range []int{200, room, size - room, size - 200} {
				for at := max(0, border-2*len(value)); at < min(border+len(value), size-len(value)); at++ {
					c := newCapture(400, v.margin)
					_, _ = c.Write([]byte(strings.Repeat(fill, at) + value + strings.Repeat(fill, size-at-len(value))))
					if text := c.text(v); strings.ContainsAny(strings.ReplaceAll(text, "[redacted k]", ""), value) {
						t.Fatalf("secret at %d of %d: %q", at, size, text)
					}
				}
			}
		}
	}
}

func TestCaptureCutsBetweenCharacters(t *testing.T) {
	for shift := range 4 {
		c := newCapture(20, 0)
		_, _ = c.Write([]byte(strings.Repeat("a", shift) + strings.Repeat("語", 100)))
		text := c.text(veil{})
		if strings.ToValidUTF8(text, "?") != text || len(text) > 150 {
			t.Errorf("shift %d: %q", shift, text)
		}
	}
}

func TestCaptureStaysBoundedWhenCoveringMakesTextLonger(t *testing.T) {
	name := strings.Repeat("N", 60)
	v := newVeil([]secret{{name, "sixsix"}})
	for _, size := range []int{900, 9000} {
		c := newCapture(1000, v.margin)
		_, _ = c.Write([]byte(strings.Repeat("sixsix.", size/7)))
		if text := c.text(v); len(text) > 1000+120 || strings.Contains(text, "sixsix") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}
