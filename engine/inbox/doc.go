// Package inbox keeps what the engine still has to do, durably: wake-ups, timers and steps to run, with what became of them.
//
// Words:
//
//	message    something to handle: a kind, a key, a body, a due time. Messages of one key are handled one after the other
//	           in the order of due time and arrival; different keys run side by side
//	hint       a message whose kind says no more than "look again": one handling satisfies all equal hints put before it began
//	look       the hint that this package itself puts: something about an incident's steps has changed
//	step       one run of a command, known by its attempt key for ever; it is started at most once unless it is repeatable
//	outcome    what a step left behind, stored before anybody is told
//	lost       a step that was started and has no outcome, because its process or its runner died: only a person can tell
//	trigger    a River job that says "key K has something due" or "step S is ready". It carries no facts
//	bookmark   where a caller left something that others can move; kept here in PostgreSQL only, by whoever has the inbox
//	handover   what is due as it is stored begins at the Run of this process as soon as there is a place, without a trigger
//
// Flow:
//
//	Put, PutOnce ──┐                     ┌─ message ─ Handler.Handle ── done: deleted; failed: due again later
//	               ├─ database, 1 commit ┤
//	StartStep ─────┘   rows + trigger,   └─ step ──── Handler.RunStep ─ outcome + look, one commit
//	                   or rows + handover
//
// The tables message and step are the truth. A trigger is made in the transaction that makes its row, for all that is
// due later, or would have to wait for a place behind too many; River fetches and times it, and any number of triggers for one row is harmless.
// So Run throws all triggers away and makes them anew from the rows, which takes back whatever a dead engine left
// running, and a sweep makes one for any row that should have been touched long ago. River's own retries are not used
// for failures of a handler: they end in a discarded job and collect one error record each time, whereas an acknowledged
// message is kept until it has been handled.
//
// Every write is one transaction, on disk for all that a caller or a step relies on: what a call has acknowledged survives a
// kill and a power cut. Callers who come while a transaction is on its way to the disk share the next one (group.go). The database is a SQLite file in WAL mode, or a schema of a PostgreSQL database. A second engine is
// kept out (ErrLocked): by a lock on a file beside the first, by an advisory lock in the second, which the one connection
// takes before anything else, so that an engine that lost its connection writes nothing once another one has the inbox.
//
// The bookmarks of an inbox in PostgreSQL (bookmarks.go, decision 0040) are read at the opening and moved by one statement on that connection, so that the
// next engine, on whatever machine, finds them where the last one left them. Of a file they are kept outside of it, by the caller.
//
// A file that is damaged is moved aside, never repaired, and Recovered tells the caller to ask git and the hub again. A
// damaged schema of PostgreSQL is refused: its administrators restore it, or name another one.
// Rows carry a checksum over what the caller gave, because SQLite's own check does not see a changed byte inside a value.
// SQLite ends a write-ahead log at its first damaged frame, as if the rest had never been written. Unread says so, unless the log was cut just
// behind a transaction; and what has begun and must not begin twice is marked outside of the file as well (decision 0036).
//
// This package does not know what a message or a step means, decides nothing about either, and talks to nobody but the
// database. The order of messages holds only among those that have not failed: a failed message waits and is overtaken.
package inbox
