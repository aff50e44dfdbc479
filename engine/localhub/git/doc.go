// Package git holds the hub's bare repositories: it serves them to any git client over smart HTTP, reads them for REST
// and the pages, and does what touches a repository and the state together.
//
//	push          git receive-pack ran, and the refs before and after it were compared; what a push means is decided
//	              here and told to the state in one place, whether a client, a merge or REST moved the ref
//	pull ref      refs/pull/N/head, which the hub keeps at a pull request's head, and which clients can only fetch
//
//	client ── info/refs, upload-pack ───────────────> git (a process per request, stateless)
//	client ── receive-pack ── lock ── git ── compare ─> state.Pushed ─> answer
//	rest, pages ── OpenPull, Merge, SetRef ── lock ── git ─> state
//
// One lock per repository covers every write, so the state learns of moves in their true order, and a client that was
// told of its push can rely on REST to know it too.
//
// The installed git does the work (2.38 or later, for merge-tree). The package keeps no cache, does not authenticate
// (the caller passes an actor) and does not render JSON.
package git
