// Package cueval turns CUE into plans: it is the only place that knows CUE.
//
// Words:
//
//   - A Source is the text of one runbook, a file or a directory of them, and of pullbook.cue where the ledger has one.
//   - The library is the ledger's CUE at hand: the packages that runbooks import. What is missing in it is a problem that
//     says so, and whoever asked can ask again with more.
//   - The skeleton is what is known of each step before anything runs: kind, risk, needs, approval, timeout, retry.
//   - The home of a step is where it is written: steps.NAME, steps.NAME.undo or finally.NAME.
//   - An edge is a reference of one step to another. Edges come from the syntax tree, so they have the author's
//     positions, and a reference behind a condition counts as much as a plain one.
//   - A template is a step with a list; an item is what stands for an element of it while the template is evaluated once more
//     for that element, by itself.
//   - The shape of a runbook is the runbook with every value taken as unknown, so that only the names are left. CUE does
//     not look for misspelled fields in a value that is still incomplete; in the shape nothing is.
//   - A trait is what the schema says of a field of a kind of step, by its type and its attributes. No kind of a runner is
//     known by name here, but exec, whose arguments could be read as code.
//   - A part is a field of a step as it is written. An excerpt is the parts that one evaluation needs: the steps that are asked
//     about, and of others what these refer to. A part has the same value in it as in the whole runbook.
//   - A trial is an evaluation with made-up outputs of the declared types. It shows type errors before anything ran.
//   - The facts of a runbook are what the rest of the ledger must be held against: its match, and the files that it names.
//   - The child is this program once more, started to evaluate one request and killed at a deadline or a memory limit:
//     CUE cannot be cancelled, and ten lines of it can run for ever. One that stays answers further requests, for commands that
//     ask much in a short life; one that lingers, those about one frozen plan with its alert, for a moment.
//   - An outlook is what evaluations of a plan with an alert told of later ones: what a step will be once all that it needs has ended,
//     and on whose ends that rests.
//   - Texts are what a child keeps of what it has read, for the next runbook or request: trees, never values.
//
// Flow, in the child:
//
//	files ─ read (size, syntax, imports, unknown names) ─ graph (edges, names)
//	      ─ shape & #Runbook ─ runbook & #Runbook ─ skeleton ─ order
//	      ─ policy (after risks are filled in) ─ trial              = Plan or Problems     (Load, CheckAll)
//	plan + alert + outputs + statuses ─ excerpts, each afresh       = Now of every step     (Resolve)
//	                       ─ + an answer ─ until                    = yes or no             (Until)
//	output ─ projected to the declared type ─ checked               = output to keep        (Output)
//	alert ─ match of every runbook                                  = one runbook, and why  (Route)
//	ledger ─ each runbook by itself, one after the other in few children = Problems and Facts  (CheckAll)
//	payload ─ projected to the intake's type ─ checked              = generic alert         (Alert)
//
// The Evaluator remembers the plans of the sources it has seen, so that a look does not check a runbook once more, and their
// outlooks, so that it evaluates only what rests on an end that has changed.
//
// Resolve evaluates the steps whose needs have ended and that have not ended themselves, and texts that refer to something, so
// many at a time: what a look costs follows from what can happen next, and the memory that it takes does not grow with the
// plan. Rules are unified with every step of an excerpt. A runbook whose steps are not all written out one by one, such as one
// with a pattern among them, has no excerpts: it is evaluated as a whole.
//
// Every request is evaluated in a fresh CUE context, from the same bytes to the same answer. Files come from the request
// alone: no disk, no registry, no environment; only CUE's own packages can be imported, and those of the
// ledger that the request holds.
//
// The package starts no step, reads no clock to decide anything, and knows neither git nor GitHub.
package cueval
