import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { paint } from "../cli/output.js";
import { watchRun } from "../cli/watch-run.js";
import { readConfig } from "../config.js";
import { Artifact } from "../contract/artifact.js";
import { Project } from "../contract/project.js";
import { WholeRun } from "../contract/whole-run.js";
import { Workflow } from "../contract/workflow.js";
import { packageRoot } from "../package-root.js";
import { LonghaulClient } from "../sdk/client.js";
import { DEMO_RULES, type DemoProject, makeDemoProject } from "./demo-project.js";
import { startGitHubServer } from "./github-server.js";
import { startModelServer } from "./model-server.js";
import { freePort } from "./ports.js";
import { removeOutside } from "./postgres-account.js";
import { startStack } from "./stack.js";
import { resolveTemporal } from "./temporal.js";

const HELP = `npm run demo [-- --keep] [-- --live]

Starts Longhaul with a home, ports and servers of its own, makes a small git repository, and has the workflow
simple-sdlc build a feature in it: plan, code, failing tests, a fix, passing tests, a pull request.
Claude Code is real, and does what is Codex's by default; without --live its model is a script, so that no credentials are needed.

  --keep   leave everything running until Ctrl-C
  --live   use the real model, with the credentials of your environment
`;

const CREDENTIALS = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];
const WORKFLOW = "simple-sdlc";
/** Milliseconds. */
const NOTICED = 30_000;

const Output = z.looseObject({ branch: z.string(), commit: z.string(), pullRequest: z.string(), testsPassed: z.boolean() });

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
  const quiet = (text: string) => console.log(paint("gray", text));
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
  undo.push(() => removeOutside(join(home, "postgres")));
  const stack = await startStack(config, { log: quiet, signal });
  undo.push(() => stack.stop());
  quiet(`Everything is up after ${seconds(Date.now() - began)}.\n`);
  console.log(`Longhaul   ${stack.url}`);
  if (stack.temporalUiUrl) console.log(`Temporal   ${stack.temporalUiUrl}`);
  console.log(`Project    ${project.path}\n`);

  const client = new LonghaulClient(stack);
  const run = await deliver(client, project, signal);
  await summarise(client, run, project, { url: stack.url, token: stack.token, home: stack.home });
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
async function deliver(client: LonghaulClient, { path, specFile }: DemoProject, signal: AbortSignal): Promise<WholeRun> {
  const { id: project_id } = await client.post("/api/projects", Project, { path, name: "slugs" });
  await noticed(client, project_id, signal);
  const started = await client.post("/api/runs", WholeRun, {
    workflow: WORKFLOW,
    project_id,
    input: { specFile, coder: "claude" },
  });
  console.log(`Run ${started.id} of ${WORKFLOW}\n`);
  return watchRun(client, started.id, { print: console.log, signal, fromBegin: true });
}

/** Until the workflow's file has been found. */
async function noticed(client: LonghaulClient, project_id: string, signal: AbortSignal): Promise<void> {
  for (const until = Date.now() + NOTICED; Date.now() < until; await sleep(200, undefined, { signal })) {
    const workflows = await client.all("/api/workflows", Workflow, { project_id });
    if (workflows.some(({ name }) => name === WORKFLOW)) return;
  }
  throw new Error(`The workflow ${WORKFLOW} was not found within ${NOTICED / 1000} s.`);
}

/** @throws {Error} in a sentence, when the run did not deliver what it should. */
async function summarise(
  client: LonghaulClient,
  run: WholeRun,
  project: DemoProject,
  { url, token, home }: { url: string; token: string | null; home: string },
): Promise<void> {
  if (run.status !== "completed") throw new Error(`The run ended as ${run.status}: ${run.error_message ?? "without a reason"}`);
  const { branch, commit, pullRequest, testsPassed } = Output.parse(run.output);
  const pushed = execFileSync("git", ["-C", project.remote, "rev-parse", `refs/heads/${branch}`], { encoding: "utf8" }).trim();
  if (pushed !== commit) throw new Error(`The remote has ${pushed} on ${branch}, and the run says ${commit}.`);
  const results = await client.all(`/api/runs/${run.id}/artifacts`, Artifact);

  const auth = token === null ? "" : ` -H "Authorization: Bearer $(cat ${home}/token)"`;
  console.log(`
${paint("green", "Delivered")}${run.duration_ms === null ? "" : ` in ${seconds(run.duration_ms)}`}
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
