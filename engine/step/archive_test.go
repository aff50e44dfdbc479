package step

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"runtime"
	"strings"
	"testing"
)

// file is one entry of an archive.
type file struct {
	name, content string
	mode          fs.FileMode
}

func archiveOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(f.mode | 0o644)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(f.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchivedOutput(t *testing.T) {
	good := file{name: OutputFile, content: `{"version": "1.4"}`}
	if got, err := ArchivedOutput(archiveOf(t, file{name: "notes/a.txt", content: "x"}, good), 0); err != nil || string(got) != good.content {
		t.Fatalf("%s, %v", got, err)
	}
	lying := archiveOf(t, good)
	lying[bytes.Index(lying, []byte("PK\x01\x02"))+16]++ // of the checksum
	many := make([]file, mostEntries+1)
	for i := range many {
		many[i].name = strings.Repeat("a", i+1)
	}
	for name, test := range map[string]struct {
		archive []byte
		why     string
	}{
		"nothing":           {nil, "no zip file"},
		"no zip":            {[]byte("<html>expired</html>"), "no zip file"},
		"cut off":           {archiveOf(t, good)[:40], "no zip file"},
		"another file":      {archiveOf(t, file{name: "OUTPUT.json", content: "{}"}), "holds no output.json"},
		"in a directory":    {archiveOf(t, file{name: "x/output.json", content: "{}"}), "holds no output.json"},
		"a path that leads": {archiveOf(t, good, file{name: "../../etc/cron.d/x", content: "x"}), "leads out of it"},
		"a path in between": {archiveOf(t, good, file{name: "a/../../x", content: "x"}), "leads out of it"},
		"an absolute path":  {archiveOf(t, good, file{name: "/etc/x", content: "x"}), "leads out of it"},
		"a path of Windows": {archiveOf(t, good, file{name: `..\x`, content: "x"}), "leads out of it"},
		"a drive":           {archiveOf(t, good, file{name: "c:x", content: "x"}), "leads out of it"},
		"no name":           {archiveOf(t, good, file{name: "", content: "x"}), "leads out of it"},
		"twice":             {archiveOf(t, good, good), "in it twice"},
		"a link":            {archiveOf(t, file{name: OutputFile, content: "/etc/passwd", mode: fs.ModeSymlink}), "neither a file nor a directory"},
		"a bomb":            {archiveOf(t, file{name: OutputFile, content: `{"a": "` + strings.Repeat("0", 64<<20) + `"}`}), "larger than the 262144 bytes"},
		"too many":          {archiveOf(t, many...), "more than 1000 files"},
		"a lie":             {lying, "read output.json"},
		"no object":         {archiveOf(t, file{name: OutputFile, content: `[1]`}), "not one JSON object"},
		"null":              {archiveOf(t, file{name: OutputFile, content: `null`}), "not one JSON object"},
		"two values":        {archiveOf(t, file{name: OutputFile, content: `{} {}`}), "not one JSON object"},
		"no UTF-8":          {archiveOf(t, file{name: OutputFile, content: "{\"a\": \"\xff\"}"}), "not UTF-8"},
	} {
		if got, err := ArchivedOutput(test.archive, 0); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestArchivedDigests(t *testing.T) {
	got, err := ArchivedDigests(archiveOf(t, file{name: "0_deploy.txt", content: "done\n"}, file{name: "x\x1b[2J", content: ""}))
	if err != nil || len(got) != 2 || got[0].SHA256 != "d117fa006ba9208500b2930ce69cbde436c647afa917cb7396a9bc9111a46dd2" || got[0].Bytes != 5 || strings.Contains(got[1].Name, "\x1b") {
		t.Errorf("%+v, %v", got, err)
	}
	bomb := archiveOf(t, file{name: "0", content: strings.Repeat("0", mostUnpacked/2)}, file{name: "1", content: strings.Repeat("0", mostUnpacked/2+1)})
	if _, err := ArchivedDigests(bomb); err == nil || !strings.Contains(err.Error(), "larger than") || len(bomb) > 1<<20 {
		t.Errorf("%d bytes: %v", len(bomb), err)
	}
}

// TestBombIsNotUnpacked: what is larger than an output may be is not read to its end.
func TestBombIsNotUnpacked(t *testing.T) {
	bomb := archiveOf(t, file{name: OutputFile, content: strings.Repeat("0", 64<<20)})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ArchivedOutput(bomb, 0)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 16<<20 {
		t.Errorf("%d bytes were taken for an archive of %d: %v", took, len(bomb), err)
	}
}

// FuzzArchive feeds what is no archive, or nearly one.
func FuzzArchive(f *testing.F) {
	f.Add(archiveOf(f, file{name: OutputFile, content: "{}"}))
	f.Add([]byte("PK\x05\x06" + string(make([]byte, 18))))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if got, err := ArchivedOutput(archive, 1<<10); err == nil && len(got) > 1<<10 {
			t.Errorf("%d bytes", len(got))
		}
		if _, err := ArchivedDigests(archive); err != nil && err.Error() == "" {
			t.Error("an error says nothing")
		}
	})
}
