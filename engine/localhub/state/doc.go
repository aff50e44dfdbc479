// Package state is what the local hub knows: accounts, Apps, repositories, pull requests, reviews, comments, checks,
// tokens and webhook deliveries, and every rule by which they change.
//
//	account       a person, an organisation or an App's bot; logins are compared without regard to case, ids never change
//	actor         who a request comes from, and what its credential allows
//	role          what a person may do in one repository: the highest of all grants
//	refusal       an answer "no" with GitHub's status and GitHub's words
//	event         one mutation, with copies of the objects it touched; webhooks are made of nothing else
//	revision      a counter of a pull request's changes, finer than GitHub's timestamps of one second
//	entity        one thing with a row of its own on disk: a pull request, a comment, a token
//	window        the part of a list that is shown; what is not in it is not copied
//
//	rest, git, pages ── mutation(actor, input) ──> Store ── Event ──> subscribers (hooks)
//	                 <── copies, or a *Refusal ──    │
//	                                         state.sqlite: entities, unsettled events, deliveries
//
// All state is behind one mutex, and what leaves the store is a copy. Slices and maps inside the copies are shared and
// never written to: a mutation replaces them. Subscribers are called in the order of the mutations with the mutex held,
// so they must only queue.
//
// Memory answers, the disk remembers. A mutation begins with "s.mu.Lock(); defer s.commit(&err)", changes entities, and
// calls the save method of each; commit writes them in one transaction before anybody is answered or told, and takes the
// mutation back when it or the writing has failed. What was answered therefore survives SIGKILL. Deliveries are on
// disk only. entities.go says what an entity of a new kind needs, and Verify finds what a mutation forgot to save.
//
// The package does not look into git repositories: callers pass commit ids and counts in. It renders no answers and opens
// no connection.
package state
