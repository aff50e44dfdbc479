package step

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// secret is a named value that a step asked for.
type secret struct {
	name, value string
}

const (
	// A secret that is shorter cannot be covered without covering half of what surrounds it.
	shortestSecret = 6
	longestSecret  = 32 << 10
	// reservedPrefix begins the names of the environment that the engine itself gives to programs.
	reservedPrefix = "PULLBOOK_"
)

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readSecrets reads the named files of dir, and no others. Line ends at the end of a file are not part of the secret.
func readSecrets(dir string, names []string) ([]secret, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if dir == "" {
		return nil, fmt.Errorf("read the secret %s: this runner has no secrets directory", names[0])
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the secrets directory: %w", err)
	}
	defer root.Close()
	var secrets []secret
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		value, err := readSecret(root, name)
		if err != nil {
			return nil, fmt.Errorf("read the secret %q: %w", name, err)
		}
		secrets = append(secrets, secret{name: name, value: value})
	}
	return secrets, nil
}

func readSecret(root *os.Root, name string) (string, error) {
	if !secretName.MatchString(name) || strings.HasPrefix(name, reservedPrefix) {
		return "", errors.New("not a name of letters, digits and underscores outside " + reservedPrefix + "*")
	}
	// Asked before opening: opening a named pipe would wait for its writer.
	info, err := root.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestSecret+1))
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > longestSecret:
		return "", fmt.Errorf("larger than %d bytes", longestSecret)
	case strings.ContainsRune(value, 0):
		return "", errors.New("it holds a zero byte, which no environment or header can carry")
	case len(squeeze(clean(value))) < shortestSecret:
		return "", fmt.Errorf("shorter than %d characters: it could not be kept out of logs", shortestSecret)
	}
	return value, nil
}
