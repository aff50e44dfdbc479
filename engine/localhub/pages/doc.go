// Package pages shows the hub to a person: repositories, pull requests, one pull request with its conversation, commits,
// checks and files, one commit, one file, what was sent to an App; and it takes reviews, comments and merges as forms.
//
//	viewer        who looks: a seeded person that was chosen on the page, or nobody
//	section       a part of a pull request's page that the live script replaces when it has changed
//	version       a pull request's revision, which that script asks for
//	token         what makes a form ours: of one session, for one form, good once and for a day
//	status line   on top of a pull request, while the check that it cannot be merged without has not ended
//
//	GET  ─ viewer ─ may see? ─ state, git ─ template ─> HTML
//	POST ─ viewer ─ token ─ state, git ─> redirect to what changed
//
// Everything is rendered on the server and works without script, except that graphs stay text and nothing refreshes by
// itself. No page asks another host for anything, and a content security policy holds it to that. Of raw HTML in
// markdown, <details> and <summary> are let through in pairs, and nothing else.
//
// Choosing who one is asks for no password. It therefore works only for a peer on loopback that named a loopback host,
// and the cookie counts only there. The package decides no rule: what may be approved or merged is the state's to say.
package pages
