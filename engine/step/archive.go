package step

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	// OutputFile is the file of the artifact in which a workflow puts out values.
	OutputFile = "output.json"

	mostEntries  = 1000     // of an archive
	mostUnpacked = 64 << 20 // bytes of all files of an archive together
)

// ArchivedOutput reads the output of a workflow run from the zip file that is its artifact: the file OutputFile at its root,
// one JSON object of at most limit bytes (0: 256 KiB). An archive with another name that leads out of it, with a name twice or
// with anything but files and directories is refused as a whole. What the archive says about its sizes is not believed.
func ArchivedOutput(archive []byte, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = outputLimit
	}
	files, err := entries(archive)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(files, func(f *zip.File) bool { return f.Name == OutputFile })
	if i < 0 {
		return nil, errors.New("it holds no " + OutputFile)
	}
	r, err := files[i].Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", OutputFile, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil && !errors.Is(err, zip.ErrChecksum):
		return nil, fmt.Errorf("read %s: %w", OutputFile, err)
	case len(data) > limit:
		return nil, fmt.Errorf("%s is larger than the %d bytes an output may have", OutputFile, limit)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", OutputFile, err)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s is not UTF-8", OutputFile)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%s is not one JSON object", OutputFile)
	}
	return data, nil
}

// ArchivedDigests are the SHA-256 digests of the files of a zip file, in its order; of its logs, for example. It stops with an
// error where they are more than 64 MiB together.
func ArchivedDigests(archive []byte) ([]runbook.Cut, error) {
	files, err := entries(archive)
	if err != nil {
		return nil, err
	}
	var out []runbook.Cut
	left := int64(mostUnpacked)
	for _, f := range files {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("open a file of it: %w", err)
		}
		sum := sha256.New()
		n, err := io.Copy(sum, io.LimitReader(r, left+1))
		r.Close()
		if left -= n; left < 0 {
			return nil, fmt.Errorf("its files are larger than %d bytes together", mostUnpacked)
		}
		if err != nil {
			return nil, fmt.Errorf("read a file of it: %w", err)
		}
		out = append(out, runbook.Cut{Name: oneLine(clean(f.Name)), Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	return out, nil
}

// entries lists what is in an archive.
func entries(archive []byte) ([]*zip.File, error) {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("it is no zip file: %w", err)
	}
	if len(r.File) > mostEntries {
		return nil, fmt.Errorf("it holds more than %d files", mostEntries)
	}
	seen := map[string]bool{}
	for _, f := range r.File {
		name := strings.TrimSuffix(f.Name, "/")
		switch {
		case !inside(name):
			return nil, fmt.Errorf("the name %q in it leads out of it", head(f.Name, 100))
		case seen[name]:
			return nil, fmt.Errorf("the name %q is in it twice", head(f.Name, 100))
		case !f.Mode().IsRegular() && !f.Mode().IsDir():
			return nil, fmt.Errorf("%q in it is neither a file nor a directory", head(f.Name, 100))
		}
		seen[name] = true
	}
	return r.File, nil
}

// inside reports whether a name of an archive stays within it, on every system.
func inside(name string) bool {
	if name == "" || name[0] == '/' || strings.ContainsAny(name, "\\\x00") || len(name) > 1 && name[1] == ':' {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}
