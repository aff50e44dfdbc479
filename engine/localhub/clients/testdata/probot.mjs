// A bot as probot's documentation shows it, told of the hub by baseUrl alone. It stops when its input ends.
import { Probot, Server } from "probot";

const ThisProbot = Probot.defaults({
  appId: process.env.APP_ID,
  privateKey: process.env.APP_KEY,
  secret: process.env.HOOK_SECRET,
  baseUrl: `${process.env.HUB}/api/v3`,
});
const server = new Server({ Probot: ThisProbot, host: "127.0.0.1", port: "0" });

await server.load(async (app) => {
  app.on("pull_request.opened", async (context) => {
    const { data: files } = await context.octokit.rest.pulls.listFiles(context.pullRequest());
    const body = `Hello @${context.payload.pull_request.user.login}, this changes ${files.length} file.`;
    await context.octokit.rest.issues.createComment(context.issue({ body }));
  });
  server.bot = app;
});
await server.start();

// The App tells the hub where it listens, as a setup does.
const asApp = await server.bot.auth();
await asApp.request("PATCH /app/hook/config", { data: { url: `http://127.0.0.1:${server.port}/api/github/webhooks` } });
console.log("ready");

process.stdin.resume();
await new Promise((resolve) => process.stdin.on("end", resolve));
await server.stop();
process.exit(0);
