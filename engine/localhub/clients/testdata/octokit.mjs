// An App and a person on octokit, told of the hub by baseUrl alone.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { App, Octokit } from "octokit";

const baseUrl = `${process.env.HUB}/api/v3`;
const ops = { owner: "acme", repo: "ops" };
const app = new App({
  appId: process.env.APP_ID,
  privateKey: process.env.APP_KEY,
  webhooks: { secret: process.env.HOOK_SECRET },
  oauth: { clientId: "", clientSecret: "" },
  Octokit: Octokit.defaults({ baseUrl }),
});
const alice = new Octokit({ baseUrl, auth: "alice-token" });
const bob = new Octokit({ baseUrl, auth: "bob-token" });

async function signIn() {
  const { data: self } = await app.octokit.rest.apps.getAuthenticated();
  assert.equal(self.slug, "pullbook");
  const found = [];
  for await (const { installation } of app.eachInstallation.iterator()) found.push(installation.id);
  assert.deepEqual(found, [Number(process.env.INSTALLATION)]);
  const names = [];
  await app.eachRepository(({ repository }) => names.push(repository.full_name));
  assert.deepEqual(names.sort(), ["acme/open", "acme/ops"]);
  const { data: installation } = await app.octokit.rest.apps.getRepoInstallation(ops);
  return app.getInstallationOctokit(installation.id);
}

async function readPages(octokit) {
  const pulls = await octokit.paginate(octokit.rest.pulls.list, { ...ops, per_page: 1, sort: "created", direction: "asc" });
  assert.deepEqual(pulls.map((p) => p.head.ref), ["one", "two", "three"]);
  let pages = 0;
  for await (const page of octokit.paginate.iterator(octokit.rest.pulls.listFiles, { ...ops, pull_number: 1, per_page: 1 })) {
    assert.equal(page.data[0].filename, "one.txt");
    pages++;
  }
  assert.equal(pages, 1);
  const { data: text } = await octokit.rest.repos.getContent({ ...ops, path: "README.md", mediaType: { format: "raw" } });
  assert.equal(text, "# Ops\n");
  const first = await octokit.rest.pulls.get({ ...ops, pull_number: 1 });
  const again = octokit.rest.pulls.get({ ...ops, pull_number: 1, headers: { "if-none-match": first.headers.etag } });
  await assert.rejects(again, { name: "HttpError", status: 304 });
  return pulls[0];
}

// receiver takes deliveries as they come and leaves them unverified.
async function receiver() {
  const waiting = [];
  const arrived = [];
  const server = createServer(async (request, response) => {
    let payload = "";
    for await (const piece of request.setEncoding("utf8")) payload += piece;
    response.writeHead(202).end();
    const delivery = {
      payload,
      id: request.headers["x-github-delivery"],
      name: request.headers["x-github-event"],
      signature: request.headers["x-hub-signature-256"],
    };
    const waiter = waiting.shift();
    if (waiter) waiter(delivery);
    else arrived.push(delivery);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const next = () => (arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { next, url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

async function verifyDeliveries(pull) {
  const hooks = await receiver();
  // octokit takes a parameter called url for the request's own address, so the body is given whole.
  await app.octokit.rest.apps.updateWebhookConfigForApp({ data: { url: hooks.url } });
  const ping = await hooks.next();
  assert.equal(ping.name, "ping");
  assert.equal(await app.webhooks.verify(ping.payload, ping.signature), true);

  const { data: review } = await alice.rest.pulls.createReview({
    ...ops, pull_number: pull.number, event: "APPROVE", body: "Fine.", commit_id: pull.head.sha,
  });
  assert.equal(review.state, "APPROVED");
  const delivery = await hooks.next();
  assert.equal(await app.webhooks.verify(delivery.payload, delivery.signature), true);
  assert.equal(await app.webhooks.verify(delivery.payload + " ", delivery.signature), false);
  let seen;
  app.webhooks.on("pull_request_review.submitted", async ({ payload, octokit }) => {
    // This octokit is the installation's: its token was made from the payload's installation.
    seen = await octokit.rest.pulls.getReview({ ...ops, pull_number: payload.pull_request.number, review_id: payload.review.id });
    assert.equal(payload.review.state, "approved");
  });
  await app.webhooks.verifyAndReceive(delivery);
  assert.equal(seen.data.id, review.id);
  assert.equal(seen.data.commit_id, pull.head.sha);

  const { data: log } = await app.octokit.rest.apps.listWebhookDeliveries({ per_page: 1 });
  assert.equal(log[0].guid, delivery.id);
  hooks.close();
}

// refusals are errors with GitHub's status and body.
async function beRefused(installation, pull) {
  const own = bob.rest.pulls.createReview({ ...ops, pull_number: pull.number, event: "APPROVE" });
  await assert.rejects(own, (e) => e.status === 422 && /own pull request/.test(JSON.stringify(e.response.data)));
  await assert.rejects(alice.rest.repos.get({ owner: "acme", repo: "none" }), { status: 404 });
  const merge = installation.rest.pulls.merge({ ...ops, pull_number: pull.number, sha: "0".repeat(40), request: { retries: 0 } });
  await assert.rejects(merge, { status: 409 });
  await assert.rejects(new Octokit({ baseUrl, auth: "wrong" }).rest.users.getAuthenticated(), { status: 401 });
}

async function check(installation, pull) {
  const { data: run } = await installation.rest.checks.create({
    ...ops, name: "octokit", head_sha: pull.head.sha, status: "completed", conclusion: "success",
    output: { title: "Done", summary: "All **well**." },
  });
  const { data: list } = await installation.rest.checks.listForRef({ ...ops, ref: "one" });
  assert.deepEqual(list.check_runs.map((r) => r.id), [run.id]);
}

// octokit finds GraphQL beside REST by itself: /api/v3 becomes /api/graphql.
async function askByGraphQL(installation) {
  const { viewer } = await alice.graphql("query { viewer { login } }");
  assert.equal(viewer.login, "alice");
  const { repository } = await installation.graphql.paginate(
    `query pulls($cursor: String) {
      repository(owner: "acme", name: "ops") {
        pullRequests(first: 1, after: $cursor, orderBy: { field: CREATED_AT, direction: ASC }) {
          nodes { headRefName reviews(first: 10) { nodes { state author { login } } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,
  );
  const pulls = repository.pullRequests.nodes;
  assert.deepEqual(pulls.map((p) => p.headRefName), ["one", "two", "three"]);
  assert.deepEqual(pulls[0].reviews.nodes, [{ state: "APPROVED", author: { login: "alice" } }]);
  await assert.rejects(alice.graphql('query { repository(owner: "acme", name: "none") { id } }'), (e) => e.errors[0].type === "NOT_FOUND");
}

const installation = await signIn();
const pull = await readPages(installation);
await verifyDeliveries(pull);
await beRefused(installation, pull);
await check(installation, pull);
await askByGraphQL(installation);
await installation.rest.apps.revokeInstallationAccessToken();
