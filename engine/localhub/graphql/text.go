package graphql

import (
	"slices"
	"strings"
)

// contains ignores case, as GitHub's "query" arguments do.
func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func anyOf(list, wanted []string) bool {
	return slices.ContainsFunc(list, func(x string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(x, w) })
	})
}

func reverse[T any](list []T) { slices.Reverse(list) }

// split divides a commit message into headline and body, as GitHub shows them.
func split(message string) (headline, body string) {
	headline, body, _ = strings.Cut(message, "\n")
	return headline, strings.TrimLeft(body, "\n")
}
