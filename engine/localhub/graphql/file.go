package graphql

import (
	"bytes"
	"context"
	"path"
	"strconv"
	"unicode/utf8"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
)

// tree is GitHub's Tree, known by the commit and path where it was found.
type tree struct {
	r          *repository
	commit     string
	path, hash string
}

// treeAt is a directory of a commit. GitHub shows its id; git tells it in the directory above.
func (r *repository) treeAt(ctx context.Context, sha, dir string) (*object, error) {
	if dir == "" || dir == "." {
		c, err := r.commit(ctx, sha)
		if err != nil {
			return nil, err
		}
		return &object{c.Tree()}, nil
	}
	above := path.Dir(dir)
	if above == "." {
		above = ""
	}
	_, entries, err := r.s.git().Find(ctx, r.full(), sha, above)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Path == dir {
			return &object{&tree{r, sha, dir, e.SHA}}, nil
		}
	}
	return nil, git.ErrAbsent
}

// AbbreviatedOID is the id's first seven digits.
func (t *tree) AbbreviatedOID() string { return t.hash[:7] }

// OID is the id.
func (t *tree) OID() oid { return oid(t.hash) }

// ID is made like REST's ids; REST has none for trees.
func (t *tree) ID() gql.ID { return objectID("Tree", t.r.r.ID, t.hash) }

// Repository is where the tree was found.
func (t *tree) Repository() *repository { return t.r }

// CommitResourcePath is the path of the commit's page.
func (t *tree) CommitResourcePath() uri { return t.r.ResourcePath() + uri("/commit/"+t.commit) }

// CommitURL is the address of the commit's page.
func (t *tree) CommitURL() uri { return uri(t.r.s.host) + t.CommitResourcePath() }

// Entries are the files and directories.
func (t *tree) Entries(ctx context.Context) (*[]*treeEntry, error) {
	_, entries, err := t.r.s.git().Find(ctx, t.r.full(), t.commit, t.path)
	if err != nil {
		return nil, err
	}
	out := make([]*treeEntry, 0, len(entries))
	for _, e := range entries {
		out = append(out, &treeEntry{t, e})
	}
	return &out, nil
}

// treeEntry is GitHub's TreeEntry.
type treeEntry struct {
	t *tree
	e git.Entry
}

// Mode is git's mode as a number.
func (e *treeEntry) Mode() int32 {
	n, err := strconv.ParseInt(e.e.Mode, 8, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// Name is the last part of the path.
func (e *treeEntry) Name() string { return path.Base(e.e.Path) }

// Path is the whole path.
func (e *treeEntry) Path() *string { return &e.e.Path }

// OID is the object's id.
func (e *treeEntry) OID() oid { return oid(e.e.SHA) }

// Repository is where the entry was found.
func (e *treeEntry) Repository() *repository { return e.t.r }

// Size is a file's size in bytes, 0 for a directory.
func (e *treeEntry) Size() int32 { return int32(e.e.Size) }

// Type is blob, tree or commit.
func (e *treeEntry) Type() string { return e.e.Type }

// Object is the file or directory; null for a submodule.
func (e *treeEntry) Object(ctx context.Context) (*object, error) {
	switch e.e.Type {
	case "tree":
		return &object{&tree{e.t.r, e.t.commit, e.e.Path, e.e.SHA}}, nil
	case "blob":
		full, _, err := e.t.r.s.git().Find(ctx, e.t.r.full(), e.t.commit, e.e.Path)
		if err != nil || full == nil {
			return nil, err
		}
		return e.t.r.blobAt(*full, e.t.commit), nil
	default:
		return nil, nil
	}
}

// blob is GitHub's Blob.
type blob struct {
	r      *repository
	e      git.Entry
	commit string
}

func (r *repository) blobAt(e git.Entry, commit string) *object { return &object{&blob{r, e, commit}} }

// AbbreviatedOID is the id's first seven digits.
func (b *blob) AbbreviatedOID() string { return b.e.SHA[:7] }

// OID is the id.
func (b *blob) OID() oid { return oid(b.e.SHA) }

// ID is made like REST's ids; REST has none for blobs.
func (b *blob) ID() gql.ID { return objectID("Blob", b.r.r.ID, b.e.SHA) }

// Repository is where the file was found.
func (b *blob) Repository() *repository { return b.r }

// CommitResourcePath is the path of the commit's page.
func (b *blob) CommitResourcePath() uri { return b.r.ResourcePath() + uri("/commit/"+b.commit) }

// CommitURL is the address of the commit's page.
func (b *blob) CommitURL() uri { return uri(b.r.s.host) + b.CommitResourcePath() }

// ByteSize is the size in bytes.
func (b *blob) ByteSize() int32 { return int32(len(b.e.Content)) }

// IsBinary says whether there is no text to show.
func (b *blob) IsBinary() *bool {
	is := bytes.IndexByte(b.e.Content, 0) >= 0 || !utf8.Valid(b.e.Content)
	return &is
}

// IsTruncated is never: text is whole or null.
func (b *blob) IsTruncated() bool { return false }

// Text is the content, or null for a binary file.
func (b *blob) Text() *string {
	if *b.IsBinary() {
		return nil
	}
	text := string(b.e.Content)
	return &text
}
