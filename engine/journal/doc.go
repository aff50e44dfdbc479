// Package journal turns events into bytes and commit messages, and bytes back into events.
//
// Words:
//
//   - An event file is one event: indented JSON with a version, the sequence number, the SHA-256 of the event file before
//     it, the time, the kind and the data. Equal events behind equal predecessors give equal bytes.
//   - The chain is what ties each event file to the one before it. The Head is its loose end: the last sequence number and
//     the last SHA-256. Whoever knows the head of a journal notices any change to any byte of it.
//   - Canonical bytes are the only bytes that this package would write for what they say. Any others are refused, so a
//     field that is unknown, doubled, misspelled in case or differently spaced never gets in.
//   - A marks block is the last paragraph of a commit message: git trailers that say which incident and events it holds,
//     which steps they move, who approved, and the digests of the evidence.
//
// Flow:
//
//	Encode(dir, head, events) = files, next head      Message(events, facts) = commit message
//	        one signed commit holds both
//	Decode(dir, files of the newest commit) = events, head      incident.Fold(events) = state
//
// Every format here is version 1. A version that this package does not know is refused with a sentence, never guessed at.
//
// The package does not judge whether events may follow each other (incident.Fold does), does not sign or store anything,
// and does not render text for pull requests.
package journal
