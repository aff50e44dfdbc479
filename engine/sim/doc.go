// Package sim is a simulated world for the engine: the real core and the real join ring against a simulated hub, git
// remote, inbox, evaluator, runners and clock, in one process, one thread of time, everything from one seed.
//
// Words:
//
//   - A World is one simulation. Time stands still until its agenda has the next event; nothing else moves it.
//   - A process is one run of the engine on a machine. A machine keeps an inbox, which survives its processes, and a
//     clock, which may be wrong.
//   - A task is a handler of the engine as a coroutine: it runs until it calls a port, where the World may let time pass,
//     other tasks and people act, and things go wrong. Two tasks never run at the same time.
//   - A point is a named place at which a port is called. A Fault is what goes wrong at a point: refused, done and the
//     reply lost, done twice, killed before or after, paused until another engine has taken over.
//   - A book is a generated runbook; a small evaluator stands in for CUE. A test holds it against the real one.
//   - An edit is a person's pull request against an incident's branch that asks for another plan. In some worlds people write
//     them, and the simulation follows each incident's book from edit to edit by rules of its own.
//   - A mishap is something that goes wrong in some worlds only: the App's token ends, webhooks come days late, a rule of the hub is taken away.
//   - The chronicle is what the simulated git remote has seen, read event by event, with the journal's own decoder. An
//     invariant is a function that is asked after every event.
//   - The story is the record of one simulation as text. The same seed tells the same story, byte for byte.
//
// Flow:
//
//	seed ─ dice ─┬─ books, alerts, people, outcomes ─┐
//	             └─ faults ──────────────────────────┤
//	                                                 ▼
//	agenda ─ event ─ task ─ engine.Handle, RunStep ─ ports ─ forge, remote, store, runner, evaluator
//	           │                                              │
//	           └────── invariants ◄─────────────── chronicle ◄┘
//
// A run has three parts: trouble, in which faults happen and people do what they like; calm, in which faults have stopped
// and every incident has to come to rest; and help, in which people do what they are asked, and every incident ends.
//
// The package holds no HTTP, no git objects, no signatures, no CUE and no SQL: the edges have their own tests. What a
// simulated edge answers is what the real one promises in its documentation, and tests hold the hub against localhub.
package sim
