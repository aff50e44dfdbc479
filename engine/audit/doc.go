// Package audit says whether a ledger is what it claims to be, from a clone alone: no hub, no network, no git command.
//
// Words:
//
//   - The main line is the history of the default branch by first parents. A commit on it is either people's, and then it
//     touches nothing below incidents/, or it is the merge of exactly one incident.
//   - A trail is the branch of one incident, from the commit of the main line that it starts at to its end.
//   - A finding is one commit that is wrong, and why. What comes after it on the same trail is not looked at.
//   - A key is trusted because the auditor brought it, or because a commit that a trusted key signed added it.
//
// Flow:
//
//	Verify ── main line, oldest commit first ─┬─ people's commit: signing keys added only under a trusted signature
//	                                          └─ merge: the trail, then the merge itself
//	          branches incident/* ────────────── the trail, still open
//
//	trail ── each commit: one parent, signature over the raw bytes, only its own directory, the journal's next events,
//	         the trailers, every page and log by digest, every start behind its approvals and in the commit before its end
//
//	Log, Measure ── what the journals say, for people
//
// Trust does not come from the ledger. Without a key of the auditor's own, a ledger without findings is self-consistent
// and no more: whoever wrote all of it with a key of their own would get the same answer.
//
// Everything fails closed: what cannot be read, parsed or recognised is a finding, and so is a panic. Names, addresses and
// dates in commits prove nothing and are not looked at, except that a key may be allowed for some time only.
//
// The package does not ask the hub whether a review exists: it checks that what the engine recorded is complete, in
// order, signed and never changed afterwards.
package audit
