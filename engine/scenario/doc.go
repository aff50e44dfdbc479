// Package scenario runs the tests of runbooks: stories as text, in which the real core decides and nothing happens.
//
// Words:
//
//   - A File holds the tests of one runbook: runbooks/NAME.test beside runbooks/NAME.cue. What stands before its first case
//     holds for all of them.
//   - A Case is one story. It is run by itself.
//   - A statement is what the world or a person does: an alert comes in, a step ends, somebody approves, time passes. It is one
//     line, and those that follow it and begin with a space.
//   - A block is the statements that stand together. They happen at one moment, and then the core looks until nothing is due.
//   - An expectation is a line after "> ": what the engine did because of the block above it. Rewriting a file changes
//     nothing but these.
//
// For example:
//
//	alert {"name": "CheckoutErrors", "labels": {"service": "checkout"}}
//	person alice acme/sre
//
//	case The release is rolled back
//
//	alert
//	> engine: opened the incident for the alert CheckoutErrors with runbooks/checkout.cue: ...
//	> starts errors (read)
//	>   http {"url":"http://checkout/metrics.json"}
//
//	errors succeeds {"error_rate": 0.4, "requests": 100}
//	> engine: errors: succeeded (attempt 1, 0 s)
//	> engine: asked for the approval of rollback: 1 of acme/sre within 15m
//	> asks for a review of rollback: acme/sre
//
//	alice approves rollback
//	> alice: approved the gate of rollback (review 1)
//
// Flow:
//
//	text ─ Parse ─ File ─ each Case:
//	    block ─ the stage: queue of steps, pull request, people, clock
//	          ─ Eval.Resolve ─ incident.Decide ─ []Action ─ the stage performs them ─ again, until nothing is due
//	          ─ expectations of the block as they turned out
//	    = the case as it went: where its text is the one that was read, it passed
//
// The events are told in the words of package render, as the pull request has them. Everything is worked out from the text,
// the runbook and pullbook.cue; the clock is the story's own.
//
// The stage is no simulation of trouble: it loses nothing and never fails. Package sim is for that, and for the engine around
// the core. The package starts no step, reads no file and does not know CUE.
package scenario
