// Package graphql answers the part of GitHub's GraphQL API (v4) that the hub has: what gh's pull-request commands,
// palantir/policy-bot and the engine ask.
//
//	schema        the served subset of GitHub's published schema, in schema/*.graphql; same names, types and nullability
//	document      what a client sends: one or more operations and fragments, of which one operation runs
//	session       one request: its actor, the hub's address, and what it has already read
//	object        any value behind an interface or a union; it knows which of the schema's types it is
//	connection    a list in GitHub's form: nodes, edges with cursors, and what lies before and after
//	fault         an answer "no" with GitHub's word for its type (NOT_FOUND, FORBIDDEN, ...) and GitHub's sentence
//
//	POST ─ actor ─ bounds (depth, nodes) ─ validate ─ resolvers ─> state, git
//	               faults with type, path, locations ─┴─> {"data": ..., "errors": [...]}, always 200 once it is GraphQL
//
// A stranger finds a field as the method of its name on the Go type of its GraphQL type: PullRequest is pullRequest in
// pull.go, Mutation is mutation in mutation.go and what stands beside it. Adding a field is a line of the schema and a
// method; the library refuses to start when one of them is missing.
//
// Ids are those that REST gives as node_id. Rules of pull requests, reviews and checks are the state's, never decided
// here. The package shows no projects and no comments on lines: their lists are empty. Issues can be read and not written, and
// a pending review is in no list. There are no subscriptions.
package graphql
