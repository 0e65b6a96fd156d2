import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { readConfig } from "../config.js";
import { isFinished, RunStatus } from "../contract/run.js";
import { packageRoot } from "../package-root.js";
import { DemoClient } from "./demo-client.js";
import { DEMO_RULES, type DemoProject, makeDemoProject } from "./demo-project.js";
import { DemoScreen } from "./demo-screen.js";
import { startGitHubServer } from "./github-server.js";
import { startModelServer } from "./model-server.js";
import { freePort } from "./ports.js";
import { folderOutside, postgresAccount } from "./postgres-account.js";
import { startStack } from "./stack.js";
import { resolveTemporal } from "./temporal.js";

const HELP = `npm run demo [-- --keep] [-- --live]

Starts Longhaul with a home, ports and servers of its own, makes a small git repository, and has the workflow
simple-sdlc build a feature in it: plan, code, failing tests, a fix, passing tests, a pull request.
Claude Code is real; without --live its model is a script, so that no credentials are needed.

  --keep   leave everything running until Ctrl-C
  --live   use the real model, with the credentials of your environment
`;

const CREDENTIALS = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];
const WORKFLOW = "simple-sdlc";

const Run = z.looseObject({
  id: z.string(),
  status: RunStatus,
  error_message: z.string().nullable(),
  branch_name: z.string().nullable(),
  commit_sha: z.string().nullable(),
  pr_url: z.string().nullable(),
  duration_ms: z.number().nullable(),
  output: z.unknown(),
  temporal: z.looseObject({ url: z.string().nullable() }),
});
const Output = z.looseObject({ branch: z.string(), commit: z.string(), pullRequest: z.string(), testsPassed: z.boolean() });
const Named = z.looseObject({ id: z.string(), name: z.string() });
const Comment = z.looseObject({ id: z.string(), text: z.string() });

/** What has to be undone, the latest first. */
type Undo = (() => Promise<unknown> | unknown)[];

async function main(): Promise<void> {
  const { values: chosen } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      live: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (chosen.help) {
    console.log(HELP);
    return;
  }
  const told = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => told.abort(new Error("The demo was given up.")));
  const undo: Undo = [];
  try {
    await demonstrate(chosen, undo, told.signal);
    if (!chosen.keep) console.log("\nAll of it is removed now. `npm run demo -- --keep` leaves it running to look around.");
    else if (!told.signal.aborted) {
      console.log("\nIt goes on running. Ctrl-C ends it and removes its files.");
      await new Promise((resolve) => told.signal.addEventListener("abort", resolve, { once: true }));
    }
  } finally {
    await undoAll(undo);
  }
}

/** All of it, also when a part cannot be undone. */
async function undoAll(undo: Undo): Promise<void> {
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch (error) {
      console.error(`Something of the demo may be left: ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function demonstrate({ live }: { live: boolean }, undo: Undo, signal: AbortSignal): Promise<void> {
  const began = Date.now();
  const screen = new DemoScreen(console.log, process.stdout.isTTY === true && !process.env.NO_COLOR);
  const quiet = (text: string) => console.log(screen.paint(90, text));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-demo-")));
  undo.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

  await useModel(live, undo, quiet);
  const project = makeDemoProject(folder, [join(packageRoot, "examples", `${WORKFLOW}.ts`)]);
  const github = await startGitHubServer({ repositories: [{ owner: "demo", name: "slugs", path: project.remote }] });
  undo.push(() => github.stop());
  execFileSync("git", ["-C", project.path, "config", "longhaul.repository", "demo/slugs"]);

  const home = join(folder, "home");
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  const config = readConfig({
    LONGHAUL_HOME: home,
    LONGHAUL_PORT: String(await freePort()),
    LONGHAUL_TEMPORAL_UI_PORT: String(await freePort()),
    LONGHAUL_TEMPORAL_BIN: await resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder, log: quiet }),
    LONGHAUL_CLAUDE_BIN: process.env.LONGHAUL_CLAUDE_BIN,
    GITHUB_API_URL: github.url,
    GITHUB_TOKEN: "demo",
  });
  undo.push(() => removePostgres(join(home, "postgres")));
  const stack = await startStack(config, { log: quiet, signal });
  undo.push(() => stack.stop());
  quiet(`Everything is up after ${seconds(Date.now() - began)}.\n`);
  console.log(`Longhaul   ${stack.url}`);
  if (stack.temporalUiUrl) console.log(`Temporal   ${stack.temporalUiUrl}`);
  console.log(`Project    ${project.path}\n`);

  const client = new DemoClient(stack.url, stack.token, signal);
  const run = await deliver(client, project, screen);
  await summarise(client, run, project, screen, { url: stack.url, token: stack.token, home: stack.home });
}

/** Point Claude Code at the script, or see that it can reach the real model. */
async function useModel(live: boolean, undo: Undo, say: (text: string) => void): Promise<void> {
  if (live) {
    const found = CREDENTIALS.find((name) => process.env[name]);
    if (!found) throw new Error(`--live needs credentials for Claude: set one of ${CREDENTIALS.join(", ")}.`);
    say(`Model: the real one, with ${found}. This costs a little.`);
    return;
  }
  const model = await startModelServer({ rules: DEMO_RULES });
  undo.push(() => model.stop());
  for (const name of CREDENTIALS) delete process.env[name];
  process.env.ANTHROPIC_BASE_URL = model.url;
  process.env.ANTHROPIC_API_KEY = "scripted-model";
  say("Model: a script on this machine; Claude Code, git, tests, Temporal and Postgres are real. (--live uses the real model.)");
}

/** Start the run over HTTP and show it until it has finished. */
async function deliver(client: DemoClient, { path, specFile }: DemoProject, screen: DemoScreen): Promise<z.output<typeof Run>> {
  const { id: projectId } = await client.post("/api/projects", { path, name: "slugs" }, z.looseObject({ id: z.string() }));
  await client.eventually(`The workflow ${WORKFLOW}`, async () => {
    const workflows = await client.get(`/api/workflows?project_id=${projectId}`, z.array(Named));
    return workflows.find(({ name }) => name === WORKFLOW);
  });
  const started = await client.post("/api/runs", { workflow: WORKFLOW, project_id: projectId, input: { specFile } }, Run);
  console.log(`Run ${started.id} of ${WORKFLOW}\n`);

  const shown = new Set<string>();
  for await (const event of client.events(started.id)) {
    screen.show(event);
    if (event.type === "workflow.comment.created") {
      const comments = await client.get(`/api/runs/${started.id}/comments?limit=100`, z.array(Comment));
      for (const { id, text } of comments.toReversed()) if (!shown.has(id) && shown.add(id)) screen.comment(text);
    }
    const status = RunStatus.safeParse(event.data.status);
    if (event.type === "workflow.execution.status_changed" && status.success && isFinished(status.data)) break;
  }
  return client.get(`/api/runs/${started.id}`, Run);
}

/** @throws {Error} in a sentence, when the run did not deliver what it should. */
async function summarise(
  client: DemoClient,
  run: z.output<typeof Run>,
  project: DemoProject,
  screen: DemoScreen,
  { url, token, home }: { url: string; token: string | null; home: string },
): Promise<void> {
  if (run.status !== "completed") throw new Error(`The run ended as ${run.status}: ${run.error_message ?? "without a reason"}`);
  const { branch, commit, pullRequest, testsPassed } = Output.parse(run.output);
  const pushed = execFileSync("git", ["-C", project.remote, "rev-parse", `refs/heads/${branch}`], { encoding: "utf8" }).trim();
  if (pushed !== commit) throw new Error(`The remote has ${pushed} on ${branch}, and the run says ${commit}.`);
  const results = await client.get(`/api/runs/${run.id}/artifacts?limit=100`, z.array(Named));

  const auth = token === null ? "" : ` -H "Authorization: Bearer $(cat ${home}/token)"`;
  console.log(`
${screen.paint(32, "Delivered")}${run.duration_ms === null ? "" : ` in ${seconds(run.duration_ms)}`}
  branch        ${branch}
  commit        ${commit} (pushed)
  pull request  ${pullRequest}
  tests         ${testsPassed ? "pass" : "fail"}
  artifacts     ${results.map(({ name }) => name).join(", ")}

Where to look
  the run       curl${auth} ${url}/api/runs/${run.id}
  in Temporal   ${run.temporal.url ?? "–"}
  its files     ${join(project.path, ".agent/workflows/executions", run.id)}`);
}

/** As root the database lies outside its home, where its own account can reach it. */
function removePostgres(dataDir: string): void {
  const account = postgresAccount();
  const outside = account && folderOutside(account, dataDir);
  if (outside && existsSync(outside)) rmSync(outside, { recursive: true, force: true });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`\nThe demo did not come to its end. ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
