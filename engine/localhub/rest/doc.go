// Package rest answers the part of GitHub's REST API that the hub has, in GitHub's shapes, status codes and words.
//
//	route         one row of the table in routes.go: method, path, who may call it, and its handler
//	access        what a route asks of a caller: an App's JWT, an installation token with one of some permissions, or a
//	              person with a role in the repository
//	call          one request with its actor, its path's parameters and its repository
//
//	request ─ route ─ actor ─ access ─ handler ─> state, git
//	                                          <─ reply ─ ETag, rate-limit headers ─> client
//
// A stranger finds an endpoint in routes.go, and adding one is a row, a handler and a line in the README's table.
//
// The package holds no state but the counters of its rate-limit headers, which refuse nobody. It decides no rule of pull
// requests, reviews or checks: those are the state's.
package rest
