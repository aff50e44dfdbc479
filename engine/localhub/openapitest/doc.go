// Package openapitest holds what goes over the wire in tests against GitHub's own description of its REST API.
//
//	description   generated/api.github.com.json of the npm package @octokit/openapi; it is installed and never committed
//	operation     one method and path of the description, with what a request may hold and what the answers look like
//	violation     a place where a request or an answer is not as described
//
//	client ── request ──> Wrap ── as described? ──> the hub
//	       <── answer ─── Wrap <── as described? ── the hub
//	                       └─ violation ─> the test fails with operation, pointer, reason and value
//
// The description is found through PULLBOOK_NPM, a directory that holds node_modules. Without it Wrap checks nothing and
// the tests still run; Require skips a test that would then prove nothing.
//
// What the description itself gets wrong, and what it leaves to GitHub's prose, stands in one table, each with a reason.
// The package decides nothing about the hub, and serves tests only.
package openapitest
