import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentName } from "../../contract/agent-provider.js";
import type { Usage } from "../../contract/usage.js";
import type { ModelServer } from "../../local/model-server.js";
import { check } from "./checker.js";
import { gather } from "./evidence.js";
import type { Finding } from "./finding.js";
import type { Harness, WatchedRun } from "./harness.js";
import { Random } from "./random.js";
import { counterLines } from "./traces.js";

/** What an agent is asked to do. `write` may do anything, `plan` may only plan, and of `verify` the work is looked at afterwards. */
const KINDS = ["write", "plan", "verify"] as const;
type Kind = (typeof KINDS)[number];

/** The workflow whose agents are killed with their worker. Each turn takes three seconds and more, as the model takes its time. */
export const TURN: Record<string, string> = {
  turn: `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "turn",
  input: z.object({ agent: z.enum(["claude", "codex"]), kind: z.enum(["write", "plan", "verify"]), file: z.string() }),
  async execute(ctx) {
    const { agent, kind, file } = ctx.input;
    if (kind === "plan") {
      const prompt = \`For \${file}: [[slow 900]] [[shell cat README.md]] [[slow 900]] [[shell ls]] [[slow 900]] [[say Planned.]]\`;
      await ctx.step("turn", { type: "agent", agent, permission: "plan", prompt });
      return;
    }
    const prompt = \`[[slow 900]] [[shell echo 1 $EPOCHREALTIME >> \${file}]] [[slow 900]] [[write made.txt made]] [[slow 900]] [[say Written.]]\`;
    const verify = kind === "verify" ? [{ treeChanged: true } as const, { fileExists: "made.txt" }, { command: "grep -q made made.txt" }] : [];
    await ctx.step("turn", { type: "agent", agent, permission: "bypassPermissions", prompt, verify });
  },
});
`,
};

export interface AgentKillsOptions {
  seed: number;
  /** How many turns there are; the worker is killed once in each. */
  kills: number;
  agent: AgentName;
  /** Compare the projection with a rebuilt one at the end; the stack is down afterwards. */
  rebuilt: boolean;
  log?: (line: string) => void;
}

export interface AgentKillsResult {
  turns: TurnSeen[];
  findings: (Finding | { invariant: "agent"; run_id: string; what: string })[];
}

interface TurnSeen {
  run: WatchedRun;
  kind: Kind;
  /** Milliseconds after the step's beginning. */
  killedAfter: number;
  /** Lines that it wrote; null for a plan. */
  written: number | null;
  /** Commands of it that the kill cut off: such a one is done again. */
  cut: number;
  /** Answers that the model gave and that are not counted, as they were on their way when the agent was killed. */
  uncounted: number;
  tellsOfKill: boolean;
}

/** The last moment of a turn that is sure to be within it, in milliseconds. */
const LATEST_MS = 2_900;

/** Kill the worker with `kill -9` at a seeded moment of each of so many turns, one after the other; then check all. */
export async function agentKills(harness: Harness, model: ModelServer, options: AgentKillsOptions): Promise<AgentKillsResult> {
  const { seed, kills, agent, rebuilt, log = () => {} } = options;
  const random = new Random(seed);
  const killed: { run: WatchedRun; kind: Kind; killedAfter: number }[] = [];
  for (let n = 0; n < kills; n++) {
    const kind = KINDS[n % KINDS.length] ?? "write";
    const file = join(harness.folder, "counters", `turn-${n}.`);
    const run = await harness.begin("turn", { agent, kind, file }, { counter: kind === "plan" ? null : file, steps: 1 });
    await told(run, "workflow.step.started");
    const killedAfter = random.between(0, LATEST_MS);
    await sleep(killedAfter);
    await harness.kill9("worker");
    await harness.client.finished(run.id, 180_000);
    killed.push({ run, kind, killedAfter });
    log(`kill ${n + 1} of ${kills}: ${killedAfter} ms into a turn to ${kind}`);
  }

  const findings: AgentKillsResult["findings"] = [];
  const turns: TurnSeen[] = [];
  for (const [n, one] of killed.entries()) {
    const served = model.requests.flatMap(({ used, conversation }) =>
      used && conversation.text.includes(`turn-${n}.`) ? [used] : [],
    );
    const { seen, wrong } = await look(harness, one, served);
    turns.push(seen);
    findings.push(...wrong.map((what) => ({ invariant: "agent" as const, run_id: one.run.id, what })));
  }
  findings.push(...check(await gather(harness, { rebuilt })));
  return { turns, findings };
}

type Used = Pick<Usage, "input_tokens" | "output_tokens">;

async function look(
  harness: Harness,
  { run, kind, killedAfter }: Pick<TurnSeen, "run" | "kind" | "killedAfter">,
  served: readonly Used[],
): Promise<{ seen: TurnSeen; wrong: string[] }> {
  const { body } = await harness.client.insist("GET", `/api/runs/${run.id}`);
  const { status, error_message, usage, steps } = body.data;
  const [step] = steps;
  const sessions: { status: string; session_file_path: string | null }[] = step.sessions;
  const transcript = sessions[0]?.session_file_path
    ? readFileSync(join(harness.project.path, sessions[0].session_file_path), "utf8")
    : "";
  const cut = transcript.match(/\[Tool call interrupted|Exit code 1(37|43)\b|"aborted\b/g)?.length ?? 0;
  const written = run.counter === null ? null : counterLines(run.counter).length;
  const uncounted = uncountedAnswers(usage, served);

  const wrong: string[] = [];
  if (status !== "completed") wrong.push(`the run is ${status}: ${error_message}`);
  if (sessions.length !== 1 || sessions[0]?.status !== "completed") wrong.push(`its sessions are ${JSON.stringify(sessions)}`);
  if (written !== null && (written < 1 || written > 1 + cut))
    wrong.push(`it wrote ${written} lines, with ${cut} commands cut off`);
  if (uncounted === null) wrong.push(`it tells ${JSON.stringify(usage)}, and was served ${JSON.stringify(served)}`);
  if (status === "completed") wrong.push(...wrongTree(harness, run, kind));
  const tellsOfKill = step.attempt > 1;
  return { seen: { run, kind, killedAfter, written, cut, uncounted: uncounted ?? 0, tellsOfKill }, wrong };
}

/** None or one, which was on its way as the agent was killed; null where what is told is neither. */
function uncountedAnswers(usage: Usage | null, served: readonly Used[]): number | null {
  const total = (answers: readonly Used[]) =>
    [
      answers.length,
      answers.reduce((sum, { input_tokens }) => sum + input_tokens, 0),
      answers.reduce((sum, { output_tokens }) => sum + output_tokens, 0),
    ].join();
  const counted = usage && [usage.turns, usage.input_tokens, usage.output_tokens].join();
  if (counted === total(served)) return 0;
  return served.some((_, i) => counted === total(served.toSpliced(i, 1))) ? 1 : null;
}

/** After its turn the file is there, once and whole; after a plan nothing is. */
function wrongTree({ project, home }: Harness, run: WatchedRun, kind: Kind): string[] {
  if (kind === "plan") {
    const tree = join(home, "worktrees", project.id, run.id);
    const changed = execFileSync("git", ["-C", tree, "status", "--porcelain"], { encoding: "utf8" });
    return changed === "" ? [] : [`a plan changed the tree: ${changed}`];
  }
  const made = execFileSync("git", ["-C", project.path, "show", `refs/longhaul/${run.id}/1:made.txt`], { encoding: "utf8" });
  return made === "made" ? [] : [`made.txt says ${JSON.stringify(made)}`];
}

/** Waits until the run's stream has told this. */
async function told({ id, stream }: WatchedRun, type: string): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(5))
    if (stream.seen.some((event) => event.type === type)) return;
  throw new Error(`The run ${id} has told no ${type} within a minute.`);
}

/** One line for people. */
export function summary({ turns, findings }: AgentKillsResult): string {
  const wrote = turns.filter(({ written }) => written !== null);
  const once = wrote.filter(({ written }) => written === 1).length;
  const count = (what: (turn: TurnSeen) => boolean) => turns.filter(what).length;
  return (
    `${turns.length} kills in ${turns.length} turns (${KINDS.map((kind) => `${count((turn) => turn.kind === kind)} to ${kind}`).join(", ")}), ` +
    `${count(({ tellsOfKill }) => tellsOfKill)} tell of it. Written once ${once} of ${wrote.length}, again as the command itself was cut off ${wrote.length - once}. ` +
    `Answers of the model that were on their way and are not counted: ${turns.reduce((sum, { uncounted }) => sum + uncounted, 0)}. Findings ${findings.length}.`
  );
}
