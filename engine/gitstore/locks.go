package gitstore

import (
	"os"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
)

// withoutLocks hides the files that git makes beside a ref while it changes
// it. No ref has a name that ends like that (git-check-ref-format), but go-git
// would read them as refs, and fail when one is still empty.
type withoutLocks struct{ billy.Filesystem }

func (fs withoutLocks) ReadDir(path string) ([]os.FileInfo, error) {
	infos, err := fs.Filesystem.ReadDir(path)
	return slices.DeleteFunc(infos, func(i os.FileInfo) bool { return strings.HasSuffix(i.Name(), ".lock") }), err
}
