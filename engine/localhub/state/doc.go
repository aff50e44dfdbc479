// Package state is what the local hub knows: accounts, Apps, repositories, pull requests, reviews, comments, checks,
// tokens and webhook deliveries, and every rule by which they change.
//
//	account       a person, an organisation or an App's bot; logins are compared without regard to case, ids never change
//	actor         who a request comes from, and what its credential allows
//	role          what a person may do in one repository: the highest of all grants
//	refusal       an answer "no" with GitHub's status and GitHub's words
//	event         one mutation, with copies of the objects it touched; webhooks are made of nothing else
//	revision      a counter of a pull request's changes, finer than GitHub's timestamps of one second
//
//	rest, git, pages ── mutation(actor, input) ──> Store ── Event ──> subscribers (hooks)
//	                 <── copies, or a *Refusal ──
//
// All state is behind one mutex, and what leaves the store is a copy. Slices and maps inside the copies are shared and
// never written to: a mutation replaces them. Subscribers are called in the order of the mutations with the mutex held,
// so they must only queue.
//
// The package does not look into git repositories: callers pass commit ids and counts in. It renders no JSON, opens no
// connection and keeps nothing on disk: a restart begins from the seed again.
package state
