// Package engine joins the pure core to the world: it looks, decides and performs, one incident at a time in order,
// different incidents side by side.
//
// Words:
//
//   - A wake-up is a message that says where to look. It carries no facts past the inbox, except alerts and presses of
//     buttons, which are facts.
//   - A look reads the branch, the hub and the step queue, resolves the plan, asks incident.Decide and performs what it
//     answers, until nothing is due.
//   - Kin are incidents that opened one another: a child is ordered by a message, created by compare-and-swap, and read back
//     from git. What a worker knows to be on the remote branch it tells its kin in memory; no look waits for another's lock.
//   - The ledger is the git repository; its default branch holds runbooks and merged incidents.
//
// Flow:
//
//	alert ──────────────┐                        ┌─ Git     read branches, append and push signed commits
//	webhook, timer ─────┤ inbox ─ Engine.Handle ─┤─ Hub     look, publish, merge
//	finished step, kin ─┘                        ├─ Eval    resolve the plan
//	                      Engine.RunStep ────────┴─ Runner  perform one attempt
//
// Everything from outside stands behind one of the small interfaces in ports.go, time included, so that a simulated
// world can stand in for all of it. The package keeps no truth of its own: what is in memory is a cache of git and of
// the hub, and is thrown away at the first doubt.
//
// It does not know HTTP, GitHub's API, git's wire protocol, CUE or SQL: those are the edges' matter.
package engine
