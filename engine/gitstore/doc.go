// Package gitstore reads and writes the ledger as git objects: it is the only
// room that speaks git.
//
// Words:
//
//   - store: the ledger's repository on the hub, over smart HTTP
//   - clone: a repository on this machine, read offline
//   - branch: one incident's linear history; its fork is the commit of the
//     default branch that it starts from
//   - change: the files that one commit writes and deletes
//   - pending: commits made in memory that the hub does not have yet
//   - departure: one push; it carries the pending commits of many branches
//   - foreign: a history that cannot be ours (a merge, another root)
//   - lease: the ledger's lock, a ref on the hub with a deadline; without it a
//     store that asked for one pushes nothing
//
// Flow:
//
//	Heads ─► Branch(fork..tip) ─► the caller decides ─► Append ─► Append ─► Flush ─► hub
//	          │ trees and small blobs, one fetch           │ objects in      │ group commit:
//	          │ every signature checked                    │ memory, signed  │ confirm, push, read each ref's status
//	          ▼                                            ▼                 ▼
//	        cache by object id ◄───────────────────────────┘          ErrMoved, ErrRefused or nil
//
// Branches reads many branches with the requests of a few: what an engine does
// that has just started.
//
// What a store reads, it reads by object id: the commit, the trees on the
// path, the blobs below the prefix, never a history. What it writes is a pack
// of the new objects alone, so the cost of an append does not depend on the
// size of the ledger. The old id of every ref is a compare-and-swap; the name
// of the winner is decided by the hub and by nobody else.
//
// Signatures are ssh ed25519 in the namespace "git", checked over the bytes of
// the commit as stored, minus the signature itself. Names, addresses and dates
// in a commit prove nothing and are only reported.
//
// The package does not know what an incident, an event or a gate is; it merges
// nothing, has no work tree, follows no submodule and no redirect, runs no git
// command and never retries on its own: whoever called looks again.
package gitstore
