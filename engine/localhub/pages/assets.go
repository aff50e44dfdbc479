package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// assetFiles holds our style sheet and scripts, and mermaid 12.3.0 (npm package mermaid, dist/mermaid.min.js, licence
// MIT beside it) as gzip made it.
//
//go:embed assets
var assetFiles embed.FS

type asset struct {
	media string
	plain []byte
	zip   []byte // the same, compressed; nil: only plain
	tag   string
}

func loadAssets() (map[string]asset, error) {
	out := map[string]asset{}
	for name, media := range map[string]string{
		"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml", "live.js": "text/javascript; charset=utf-8",
		"page.js": "text/javascript; charset=utf-8", "mermaid.min.js": "text/javascript; charset=utf-8",
	} {
		a := asset{media: media}
		raw, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			if a.zip, err = assetFiles.ReadFile("assets/" + name + ".gz"); err != nil {
				return nil, fmt.Errorf("load the asset %s: %w", name, err)
			}
			raw = a.zip
		} else {
			a.plain = raw
		}
		sum := sha256.Sum256(raw)
		a.tag = `"` + hex.EncodeToString(sum[:8]) + `"`
		out[name] = a
	}
	return out, nil
}

func static(v *visit) error {
	a, ok := v.assets[v.r.PathValue("name")]
	if !ok {
		return state.NotFound()
	}
	h := v.w.Header()
	h.Set("Content-Type", a.media)
	h.Set("ETag", a.tag)
	h.Set("Vary", "Accept-Encoding")
	if v.r.Header.Get("If-None-Match") == a.tag {
		v.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := io.Reader(bytes.NewReader(a.plain))
	switch {
	case a.zip != nil && strings.Contains(v.r.Header.Get("Accept-Encoding"), "gzip"):
		h.Set("Content-Encoding", "gzip")
		body = bytes.NewReader(a.zip)
	case a.zip != nil:
		z, err := gzip.NewReader(bytes.NewReader(a.zip))
		if err != nil {
			return fmt.Errorf("unpack an asset: %w", err)
		}
		body = z
	}
	if _, err := io.Copy(v.w, body); err != nil {
		v.Logger.Debug("write an asset", "error", err)
	}
	return nil
}

// avatar draws an account's initial on a colour that its id decides.
func avatar(v *visit) error {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return state.NotFound()
	}
	u, err := v.Store.AccountByID(id)
	if err != nil {
		return err
	}
	first, _ := utf8.DecodeRuneInString(strings.ToUpper(u.Login))
	v.w.Header().Set("Content-Type", "image/svg+xml")
	v.w.Header().Set("Cache-Control", "max-age=3600")
	_, err = fmt.Fprintf(v.w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="20" fill="hsl(%d 45%% 42%%)"/><text x="20" y="27" font-family="sans-serif" font-size="19" text-anchor="middle" fill="#fff">%c</text></svg>`, id*137%360, first)
	if err != nil {
		v.Logger.Debug("write an avatar", "error", err)
	}
	return nil
}
