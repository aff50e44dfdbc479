package localhub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// The seed's types; see README.md for their JSON.
type (
	Seed             = state.Seed
	SeedUser         = state.SeedUser
	SeedOrganization = state.SeedOrganization
	SeedTeam         = state.SeedTeam
	SeedApp          = state.SeedApp
	SeedWebhook      = state.SeedWebhook
	SeedInstallation = state.SeedInstallation
	SeedRepository   = state.SeedRepository
	SeedAuthor       = state.SeedAuthor
	SeedChanged      = state.SeedChanged
)

// ReadSeed reads a seed file. Unknown fields are refused; key files and directories are relative to the file.
func ReadSeed(path string) (Seed, error) {
	f, err := os.Open(path)
	if err != nil {
		return Seed{}, fmt.Errorf("read the seed: %w", err)
	}
	defer f.Close()
	var seed Seed
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&seed); err != nil {
		return Seed{}, fmt.Errorf("read the seed %s near byte %d: %w", path, d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Seed{}, fmt.Errorf("read the seed %s: there is more after the first JSON value", path)
	}
	return seed, resolvePaths(&seed, filepath.Dir(path))
}

func resolvePaths(seed *Seed, dir string) error {
	at := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	for i := range seed.Apps {
		a := &seed.Apps[i]
		switch {
		case a.Key != "" && a.KeyFile != "":
			return fmt.Errorf("read the seed: app %q has both key and key_file", a.Slug)
		case a.KeyFile != "":
			text, err := os.ReadFile(at(a.KeyFile))
			if err != nil {
				return fmt.Errorf("read the seed: the key of app %q: %w", a.Slug, err)
			}
			a.Key = string(text)
		}
	}
	for i := range seed.Repositories {
		if r := &seed.Repositories[i]; r.Directory != "" {
			r.Directory = at(r.Directory)
		}
	}
	return nil
}
