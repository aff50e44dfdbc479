// Package localhub is a GitHub on localhost: enough of REST, webhooks, git over HTTP and web pages that GitHub's own
// clients work with it unchanged. The demo shows it, tests are run against it, and teams rehearse on it.
//
//	hub           one instance: a directory of bare repositories, and beside them its state, which began from a seed
//	seed          users, tokens, organisations, teams, Apps with their keys, installations, repositories
//	actor         who a request comes from: a person, an App as itself, an installation, or nobody
//
//	request ─> faults ─> limits ─> one of:
//	/api/v3/...                     ─> rest    ─┐
//	/api/graphql                    ─> graphql ─┤
//	/{owner}/{repo}.git/...         ─> git     ─┼─> state ── events ──> hooks ──> the Apps' webhook URLs
//	/{owner}/{repo}/pull/{n}, ...   ─> pages   ─┘
//
// The houses inside import in one direction: state knows nothing of the others; git does what touches state and
// repositories together; wire writes GitHub's JSON shapes; rest, graphql, pages and hooks stand on these;
// this package wires them.
//
// The hub is for one machine. Its limits are there to be tried out, not to protect it, and the pages let anybody
// who reaches it over loopback act as any seeded person. Never put it on the internet.
//
// README.md lists every endpoint, the seed file's fields, and what deviates from GitHub.
package localhub
