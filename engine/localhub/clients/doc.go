// Package clients has no code. Its tests run programs that GitHub and others wrote for GitHub against a hub, unmodified:
//
//	git       clone, partial and shallow fetches, pushes with tokens, pushes of which a part is refused
//	gh        GitHub's command line, as engine/localhub/README.md says to set it up
//	octokit   GitHub's library for JavaScript: an App signs in, reads page by page, reviews, verifies webhooks
//	probot    a bot on top of octokit: a second App on the same hub, which answers pull requests
//
//	         seed
//	          │
//	client ──> hub ── answers, checked against GitHub's description where it is installed ──> client
//	            └──── webhooks ──> the client's own server
//
// A client is told of the hub by its own settings alone. Where one fails, the hub is wrong: nothing here works around it.
// The libraries are found through PULLBOOK_NPM, a directory that holds node_modules; scripts lie in testdata.
package clients
