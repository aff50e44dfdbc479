// Package incident is the state machine: what happened goes in as events, what people and the world did goes in as a
// view, and what has to be done next comes out as actions.
//
// Words:
//
//   - An Event is one fact that the engine wrote down. The events of one incident, in order, are its journal.
//
//   - State is the fold of the journal and nothing else: what we did.
//
//   - View is what people and the world did, looked up just now: pull request, reviews, comments, runners, remote branch.
//
//   - An Action is an effect as data. Decide returns the actions of one look in the order in which they must happen.
//
//   - An attempt is one start of one step; its key makes the effect happen once. A round is what a person asked for:
//     the first round is round 1, and each /retry begins another, with a gate of its own.
//
//   - A lock is a name that one step of the whole ledger holds at a time: from its intent, which takes all locks of the step at
//     once, until the attempt has come to an end that is known. Others wait for it; AwaitLocks asks for a look when it is free.
//
//   - A demand is what the plan's calendar adds to the rule of a step that changes something: in a freeze, or outside of the
//     change windows. It is part of the gate page; Flush.Before keeps an intent from departing when another one is in force.
//
//   - A template stands for its elements: a step for each element of a list. EachExpanded settles which there are; a template
//     ends when they have ended, and puts out what they put out, by key. Its gate covers them.
//
//   - A child is the incident that an attempt of a step opened, whose runbook is another one; that step's incident is its
//     parent. Both are found in git by their names. Recall says whether a parent still wants its child to go on.
//
//   - A run is a workflow of the hub that an attempt dispatched. It goes on at the hub, and its end is read there; nothing is
//     held for it. A dispatch whose answer was lost is looked for by the key that the run carries, before people are asked.
//
//   - A press is that a person has pressed a button of a check run. It says what a comment would say, of the step as it stood when
//     the button was shown.
//
//   - A repetition is one more start of a step that has succeeded. It has a record of its own and changes nothing of the step.
//
//   - Frozen is an incident whose branch holds what is not the engine's, or does not lead to what the engine left there. Nothing
//     runs until a person gives it back: Thawed.
//
//   - An edit is a person's pull request for the plan itself. It has approvals of its own, bound to its head; PlanEdited puts
//     another plan in force, in a commit that holds nothing else, and the caller resolves that plan before it decides again.
//
//   - A stage is main, undo or finally. UndoBegun and FinallyBegun move an incident from one to the next, never back.
//
// Flow:
//
//	State = Fold(journal)          View = what was looked up
//	         \                      /
//	          Decide(Plan, State, View, now) = []Action
//	                        |
//	          the caller performs them in order, stops at the first failure, and looks again
//
// Order contract of the actions, the same for every incident:
//
//  1. Commit writes events into one signed commit, locally.
//  2. Flush brings every local commit to the remote branch, and fails if a gate it confirms is not approved any more.
//  3. Start comes after the Flush of its intent, except for steps of risk read, which need no intent; OpenChild likewise,
//     without exception.
//  4. What people see (pull request, checks, body, replies) comes after the Flush of what it shows.
//  5. Merge comes last, after the Flush of the end and the final check.
//
// Every intent of a gated step is confirmed at its Flush, that of an automatic retry too: where the approvals do not
// stand any more, or are for something else than would run now, the gate asks again.
//
// Stages:
//
//	main ── every step is over ────────────────────────────┬─ finally ── end
//	 ├── a step failed whose onFailure is undo ── undo ─────┤  (where the plan has finally steps)
//	 └── /cancel ── something had succeeded ───── undo ─────┘
//
// Undo waits until nothing of the main stage runs or is in doubt, and then runs the undo steps of what had succeeded, last
// in first out, one at a time. /cancel during undo or finally stops that stage. A wait needs no runner: its StepStarted is
// the timer, and it ends at the first look at or after its deadline, by the clock as it is then.
//
// A step that waits for its child is not withdrawn by undo or /cancel: the child is told not to go on, and its end comes
// first. One on which nothing can run holds up nothing that a person has cancelled.
//
// Decide is pure: no clock, no input or output, no randomness, no error. A look that finds nothing to do returns no
// action. The package does not evaluate CUE (the plan arrives resolved), does not render text for people beyond one
// sentence, and does not know how events are stored.
package incident
