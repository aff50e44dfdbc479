// Package step performs one attempt of one step: it runs it, bounds it and redacts it.
//
// Words:
//
//   - A Job is one attempt: the resolved work of its kind, its deadline, the alert, and the pinned files of the ledger that it uses.
//   - The attempt's directory is made for one attempt below Config.Dir and removed when the attempt has ended. A program
//     starts in its sub-directory work, where the pinned files lie; TMPDIR is its sub-directory tmp.
//   - A performer is the work of one kind, read from the JSON that people approved. Each kind is one file and one method
//     of the type kinds.
//   - A rehearsal finds out what a step would do, and does nothing. What one attempt makes for another, such as the plan
//     that is to be carried out, is kept in Config.KeepDir until Forget.
//   - A capture is what is kept of an endless stream: its head, its tail, its size and the digest of the whole.
//   - A needle is one spelling of a secret; the veil finds needles in whatever is about to leave and covers them.
//
// Flow:
//
//	Job ─ performer of its kind ─ secrets by name ─┬─ exec    a program, in the attempt's directory and its own process group
//	                                               ├─ http    one request
//	                                               ├─ probe   the same request until a condition holds
//	                                               ├─ notify, update      a notice to webhooks and mail servers
//	                                               ├─ ticket              an issue on the hub, through Tickets
//	                                               ├─ actions             a workflow of the hub, through Workflows; its run goes on there
//	                                               └─ ansible, terraform  the host's tool, in the attempt's directory; rehearsed first
//	Outcome ─ veil(log, error, facts; output with a secret in it is refused) ─ caller
//
// Run never returns an error: whatever happens is an Outcome. Its conclusion is TimedOut when the step's own time was
// over and Cancelled when the caller's context ended first; Unknown only for a changing HTTP request, a mail or a dispatch that was sent
// and got no readable answer, since nobody can tell whether it took effect. An outcome with a run is not the end of it.
//
// Foreign text, which is the alert, reaches a program through files, standard input and a few checked environment
// variables, never through its arguments and never through a shell.
//
// What it does not do: decide whether a step may start, retry, remember anything between attempts but what is kept, or write to git. Steps
// of the engine's own kinds, such as manual, are refused here. It is no sandbox: a program has the rights of the engine's user. A
// program that leaves its process group (setsid) is out of reach of the group's kill; on Linux such strays are looked
// for by their environment and killed when an attempt is timed out or cancelled, but a program that also clears its
// environment escapes. Strays of a successful attempt live on: starting a daemon may be the step's purpose. When the
// engine itself is killed, Linux kills the program that it started; what that program started in turn runs on until the next
// runner of the same directory ends it, before anything of it is tried again.
//
// Redaction is the last net, not a licence to print secrets: a program can always write a secret in a spelling that
// no list foresees.
package step
