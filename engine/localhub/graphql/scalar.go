package graphql

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// dateTime is GitHub's DateTime: ISO 8601 in UTC, to the second.
type dateTime struct{ time.Time }

// ImplementsGraphQLType names the scalar.
func (dateTime) ImplementsGraphQLType(name string) bool { return name == "DateTime" }

// UnmarshalGraphQL reads an input.
func (t *dateTime) UnmarshalGraphQL(input any) error {
	text, _ := input.(string)
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("could not coerce value %q to DateTime", text)
	}
	t.Time = parsed
	return nil
}

// MarshalJSON writes the time as GitHub does.
func (t dateTime) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Format(time.RFC3339))
}

// gitTimestamp is a commit's own time; GitHub keeps its zone, and the hub stores UTC.
type gitTimestamp struct{ time.Time }

// ImplementsGraphQLType names the scalar.
func (gitTimestamp) ImplementsGraphQLType(name string) bool { return name == "GitTimestamp" }

// UnmarshalGraphQL is never called: no input has this type.
func (*gitTimestamp) UnmarshalGraphQL(any) error { return fmt.Errorf("GitTimestamp is not an input") }

// MarshalJSON writes the time as git's ISO 8601.
func (t gitTimestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Format(time.RFC3339))
}

// bigInt is GitHub's BigInt, which travels as a text.
type bigInt int64

// ImplementsGraphQLType names the scalar.
func (bigInt) ImplementsGraphQLType(name string) bool { return name == "BigInt" }

// UnmarshalGraphQL is never called: no input has this type.
func (*bigInt) UnmarshalGraphQL(any) error { return fmt.Errorf("BigInt is not an input") }

// MarshalJSON writes the number as a text.
func (n bigInt) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatInt(int64(n), 10))
}

// unmarshalText reads an input that is a text on the wire.
func unmarshalText[T ~string](to *T, scalar string, input any) error {
	text, ok := input.(string)
	if !ok {
		return fmt.Errorf("could not coerce value %v to %s", input, scalar)
	}
	*to = T(text)
	return nil
}

// uri is an absolute or, for resourcePath, a relative address.
type uri string

// ImplementsGraphQLType names the scalar.
func (uri) ImplementsGraphQLType(name string) bool { return name == "URI" }

// UnmarshalGraphQL reads an input.
func (u *uri) UnmarshalGraphQL(input any) error { return unmarshalText(u, "URI", input) }

// oid is a git object id.
type oid string

// ImplementsGraphQLType names the scalar.
func (oid) ImplementsGraphQLType(name string) bool { return name == "GitObjectID" }

// UnmarshalGraphQL reads an input.
func (o *oid) UnmarshalGraphQL(input any) error { return unmarshalText(o, "GitObjectID", input) }

// refname is a full ref name.
type refname string

// ImplementsGraphQLType names the scalar.
func (refname) ImplementsGraphQLType(name string) bool { return name == "GitRefname" }

// UnmarshalGraphQL reads an input.
func (n *refname) UnmarshalGraphQL(input any) error { return unmarshalText(n, "GitRefname", input) }

// sshRemote is an address for git over ssh, which the hub does not serve.
type sshRemote string

// ImplementsGraphQLType names the scalar.
func (sshRemote) ImplementsGraphQLType(name string) bool { return name == "GitSSHRemote" }

// UnmarshalGraphQL reads an input.
func (n *sshRemote) UnmarshalGraphQL(input any) error { return unmarshalText(n, "GitSSHRemote", input) }

// blob64 is a file's content in base64 (RFC 4648), decoded.
type blob64 []byte

// ImplementsGraphQLType names the scalar.
func (blob64) ImplementsGraphQLType(name string) bool { return name == "Base64String" }

// UnmarshalGraphQL decodes an input.
func (b *blob64) UnmarshalGraphQL(input any) error {
	text, _ := input.(string)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("could not coerce value to Base64String: %w", err)
	}
	*b = raw
	return nil
}

// stamp is a time, or null when there is none.
func stamp(t time.Time) *dateTime {
	if t.IsZero() {
		return nil
	}
	return &dateTime{t}
}

// orNull is a text, or null when it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// small is a number as databaseId shows it: ids beyond 32 bits are null, as on GitHub.
func small(id int64) *int32 {
	if id != int64(int32(id)) {
		return nil
	}
	n := int32(id)
	return &n
}
