package graphql

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
)

// globalID writes an id as REST's node_id: base64 of the length of the kind, the kind and what tells its objects apart.
func globalID(kind, rest string) gql.ID {
	return gql.ID(base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%03d:%s%s", len(kind), kind, rest)))
}

func numberID(kind string, id int64) gql.ID { return globalID(kind, strconv.FormatInt(id, 10)) }

// commitID is the form that REST gives commits. It names no repository: whoever asks is shown the first of theirs that
// has the commit.
func commitID(sha string) gql.ID { return gql.ID("C_" + sha) }

// refID is the form that REST gives refs, whose length is that of "Ref".
func refID(repo, ref string) gql.ID { return globalID("Ref", repo+":"+ref) }

// objectID is an id of something in one repository that has only an object id itself.
func objectID(kind string, repo int64, sha string) gql.ID {
	return globalID(kind, fmt.Sprintf("%d:%s", repo, sha))
}

// key is what a global id says.
type key struct {
	kind   string
	number int64  // for kinds that are numbered
	rest   string // otherwise
}

var idForm = regexp.MustCompile(`^(\d{2,3}):(.+)$`)

func parseID(id gql.ID) (key, error) {
	if sha, ok := cutCommit(string(id)); ok {
		return key{kind: "Commit", rest: sha}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(string(id))
	if err != nil {
		return key{}, noNode(string(id))
	}
	m := idForm.FindSubmatch(raw)
	if m == nil {
		return key{}, noNode(string(id))
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil || n < 1 || n >= len(m[2]) {
		return key{}, noNode(string(id))
	}
	k := key{kind: string(m[2][:n]), rest: string(m[2][n:])}
	if number, err := strconv.ParseInt(k.rest, 10, 64); err == nil {
		k.number = number
	}
	return k, nil
}

func cutCommit(id string) (string, bool) {
	if len(id) != 42 || id[:2] != "C_" || !git.IsID(id[2:]) {
		return "", false
	}
	return id[2:], true
}
