// Package github is the engine's one client of the hub, and the door for the hub's webhooks. The hub is github.com, a
// GitHub Enterprise Server, or anything on this machine that speaks the same REST API; the client does not know which.
//
// Words. The App is the GitHub App as which the engine signs in; its bot is the user (`slug[bot]`) that the hub shows as
// author of what the App writes. A look reads what people did on one incident. A write is any request that changes the
// hub. A proposal is a pull request of a person's, on which the App
// reports what vet says. A hint is what is left of a webhook: a branch, a pull request or a workflow run at which the engine should look again.
//
//	DispatchWorkflow, WorkflowRun, ...
//	Proposals, Changes, Vetted, Report,
//	Look, OpenPull, Publish, Merge, OpenIssue ─ Budget ─ go-github ─ token ─ wire ─ the hub
//	                              silence, points;       ghinstal-  one host, 15 s, bounded answers,
//	                              writes: serial,        lation     ETags, counts
//	                              spaced, urgent first
//
//	webhook ─ method ─ size ─ HMAC over the raw body ─ own repository, not our own doing ─ Once (durable) ─ 202
//	           405      413    401                      202, dropped                          503
//
// Nothing is tried twice here. A limit of the hub comes back as *LimitedError with the time at which it ends, and until
// then no further request leaves; everything else that fails comes back as *Error. Neither holds a token, a header or an
// address. Whoever calls looks again later, and every method but DispatchWorkflow may then be called again with the same arguments.
//
// Writes go one at a time. Those that people wait for (opening and reopening a pull request, asking for reviews, merging,
// a check run that asks for action) overtake the others, and a fifth of each budget is kept for them. The windows of
// the budget are kept in memory: after a restart the hub's own limits are what counts.
//
// Edits. REST does not tell whether a text was edited: anybody with write access may change another person's words. So a
// look asks GraphQL about each text of a person with a line that begins with a slash, once for each form of its words
// that it has seen; of other texts Edited is false. Without that answer there is no view. Members of teams come with the
// answer. Permission and teams are looked up at every look, for the people who wrote a review, or a comment with a line
// that begins with a slash; for everyone else they are empty.
//
// The package decides nothing, keeps no state that it could not lose, and reads one fact from a webhook: that somebody has pressed
// a button of one of the App's check runs, which the hub tells nowhere else.
package github
