// Package render turns the state of an incident into text for people.
//
// Words:
//
//   - Foreign text is everything that this program did not write: alerts, outputs, errors, logins, and also the titles of
//     runbooks. It never formats, mentions, links or steers a terminal here.
//   - Inline text is foreign text within a sentence of ours: one line, bounded, with every mark of Markdown escaped and a
//     zero-width space after what GitHub would make a mention or a reference of.
//   - A block is foreign text between fences that it cannot leave. What people have to copy (logs, tasks) stands in
//     blocks, since a zero-width space would travel with it.
//   - Undo steps are shown once something is undone that they undo; finally steps always, with dashed edges in the graph.
//   - A list of more than 20 steps is folded: what is over, what people must see, what is still to come. A graph of more
//     than 60 is drawn in layers, of steps that need equally many others one after the other before them.
//   - Labels that begin with state: or severity: are the engine's, all others people's.
//   - A row is one step with a word and a class: waiting, gate (people are asked), running, done, failed or skipped.
//
// Flow:
//
//	Plan + State + View ── rows ──┬── Screen    title, labels, assignees and
//	                              ├── Body      the pull request, rendered again and again, never read back
//	                              ├── Graph     the same as a Mermaid flowchart
//	                              └── Check     one step that is over, on the commit that records it
//	Events ── Timeline, Progress ─┬── Report    report.md, written once at the end
//	State ── Measure ─────────────┘
//
// The same input gives the same bytes: no clock is read (all times are absolute, UTC) and no map is walked in its own
// order. Text for the hub stays below 65,000 bytes, since GitHub refuses bodies and check texts beyond 65,535
// characters; what does not fit is counted and named, never silently lost.
//
// The package publishes nothing, reads nothing, and decides nothing: what a review is worth is approval's matter, what
// happens next is incident's.
package render
