package localhub_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/rest"
)

func readme(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestReadmeListsTheRoutes(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| ([A-Z]+) \\| `([^`]+)` \\|")
	var documented, served []string
	for _, m := range row.FindAllStringSubmatch(readme(t), -1) {
		documented = append(documented, m[1]+" "+m[2])
	}
	for _, r := range rest.Routes() {
		served = append(served, r.Method+" "+r.Path)
	}
	if diff := cmp.Diff(served, documented); diff != "" {
		t.Errorf("README.md and rest.Routes differ (-served +documented):\n%s", diff)
	}
}

// The seed that README.md shows is read, names every field, and opens.
func TestReadmeSeedOpens(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "```json\n")
	text, _, _ := strings.Cut(rest, "```")
	dir := t.TempDir()
	for name, content := range map[string]string{"seed.json": text, "app.pem": string(keyPEM(theKey())), "ops/x": "y"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seed, err := localhub.ReadSeed(filepath.Join(dir, "seed.json"))
	if err != nil {
		t.Fatal(err)
	}
	hub, err := localhub.Open(localhub.Config{Dir: filepath.Join(dir, "hub"), Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	shown := fieldNames([]byte(text))
	full, err := json.Marshal(seed)
	if err != nil {
		t.Fatal(err)
	}
	for name := range fieldNames(full) {
		if !shown[name] && name != "key" { // key is told in the text: it stands in the place of key_file
			t.Errorf("README.md's seed does not show %q", name)
		}
	}
}

func fieldNames(text []byte) map[string]bool {
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`"([a-z_]+)":`).FindAllSubmatch(text, -1) {
		names[string(m[1])] = true
	}
	return names
}
