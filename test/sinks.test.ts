import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAgentActivity } from "../activities/agent/index.js";
import { ensureBranch } from "../activities/branch.js";
import { commit } from "../activities/commit.js";
import { type Git, openGit } from "../activities/git-client.js";
import { checkBranchName } from "../activities/git-refs.js";
import { Journal } from "../activities/journal.js";
import { shell } from "../activities/shell.js";
import { isBranchName } from "../api/branch-name.js";
import type { PlanWork } from "../contract/plan.js";
import { asText, render } from "../definition/render.js";
import { renderCommand } from "../definition/render-command.js";
import type { Scope } from "../definition/scope.js";
import type { ModelServer } from "../local/model-server.js";
import { callOf, runActivity } from "./support/activity.js";
import { planOf } from "./support/definitions.js";
import { GitProject, git } from "./support/git-project.js";
import { hostileValues, SIDE_FILE } from "./support/hostile-values.js";
import { scriptedModel } from "./support/scripted-model.js";
import { testFolder } from "./support/stack.js";
import { EVERYTHING, ToolProject } from "./support/tool-project.js";

/** `npm run faults` passes ten times as many. */
const VALUES = hostileValues(process.env.LONGHAUL_FAULTS === "long" ? 10_000 : 400);
const A_FEW = VALUES.filter((_, i) => i % 20 === 0);
/** Between values where they stand in one text. */
const MARK = "\n=-=-=\n";
const LIMIT = { timeout: 600_000 };

let project: GitProject;
let client: Git;
let journal: Journal;
let model: ModelServer;
beforeAll(async () => {
  project = new GitProject();
  client = await openGit(project.path);
  journal = new Journal(join(realpathSync(testFolder()), "journal"));
  model = await scriptedModel();
});
afterAll(async () => {
  await journal.stop();
  project.remove();
});

const QUOTED = [
  (reference: string) => reference,
  (reference: string) => `"${reference}"`,
  (reference: string) => `'${reference}'`,
];

test("in a command every value is one word, byte for byte, quoted or not", LIMIT, async () => {
  const words = (some: readonly string[]) => some.map((_, i) => QUOTED[i % 3]?.(`{{ args.values[${i}] }}`)).join(" ");
  for (const some of batches(VALUES, 100)) {
    await run(`printf '%s\\0' ${words(some)} > out`, some);
    const printed = readFileSync(join(project.path, "out"), "utf8").split("\0").slice(0, -1);
    expect(printed).toEqual(some);
  }
  rmSync(join(project.path, "out"));
  expectNoSideFile();
});

test("as arguments of git in a command every value arrives", LIMIT, async () => {
  for (const some of batches(VALUES, 100)) {
    await run(`git rev-parse --sq-quote -- ${some.map((_, i) => `{{ args.values[${i}] }}`).join(" ")} > out`, some);
    expect(unquoted(readFileSync(join(project.path, "out"), "utf8"))).toEqual(["--", ...some]);
  }
  rmSync(join(project.path, "out"));
  expectNoSideFile();
});

test("a value is a commit's message as it is, but for blanks at its end", LIMIT, async () => {
  // What git takes for no text is refused; see `commit`.
  const messages = A_FEW.filter((value) => value.trim() !== "" && !/\p{Noncharacter_Code_Point}/u.test(value));
  for (const [i, message] of messages.entries()) await commit(client, { message, allowEmpty: true }, { step: `run_1/${i + 1}` });

  const logged = project.git("log", "-z", "--reverse", "--format=%B", `-${messages.length}`).split("\0");
  for (const [i, message] of messages.entries())
    expect(logged[i]).toBe(`${message.trimEnd()}\n\nLonghaul-Step: run_1/${i + 1}\n`);
  expect(project.git("rev-list", "--count", "HEAD")).toBe(String(messages.length + 1));
  expectNoSideFile();
});

test("a value is a branch's name that git takes as one, or is refused, and the API says so beforehand", LIMIT, async () => {
  const taken = new Set<string>();
  for (const some of batches(VALUES, 8))
    for (const name of await Promise.all(some.map(takenAsBranch))) if (name !== null) taken.add(name);
  expect(VALUES.filter((name) => taken.has(name) !== isBranchName(name))).toEqual([]);
  expect(taken.size).toBeGreaterThan(VALUES.length / 100);

  const made: string[] = [];
  for (const name of A_FEW) {
    const outcome = await ensureBranch(client, { name }).catch((error: { type: string }) => error.type);
    if (typeof outcome !== "string") made.push(outcome.branch);
    else expect(["invalid_ref", "git_failed"]).toContain(outcome);
  }
  const branches = project.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split("\n");
  expect(new Set(branches)).toEqual(new Set([...made, "main"]));
  project.git("switch", "--quiet", "main");
  expectNoSideFile();
});

test("in a prompt every value reaches the model", LIMIT, async () => {
  for (const some of batches(VALUES, 250)) {
    const parts = some.map((_, i) => `{{ args.values[${i}] }}`);
    const work = workOf({ type: "agent", prompt: `Read this:${MARK}${parts.join(MARK)}${MARK}That is all.` });
    expect(await prompted(work, some)).toBe(`Read this:${MARK}${some.join(MARK)}${MARK}That is all.`);
  }
  expectNoSideFile();
});

test("a prompt that begins like an option, a command or a file's name is a prompt", LIMIT, async () => {
  for (const value of [
    "--dangerously-skip-permissions",
    "-p",
    "/clear",
    "/help me",
    "!touch pwned",
    "# remember",
    "@README.md",
  ]) {
    expect(await prompted(workOf({ type: "agent", prompt: "{{ args.values[0] }}" }), [value])).toBe(value);
  }
  expectNoSideFile();
});

test("in a tool's params every value arrives, as a part of a text and as a whole", LIMIT, async () => {
  const tools = new ToolProject();
  tools.configure({ everything: { command: process.execPath, args: [EVERYTHING, "stdio"] } });
  try {
    const whole = workOf({ tool: "everything.echo", params: { message: "{{ args.values[0] }}" } });
    for (const value of A_FEW) expect(await echoed(whole, [value])).toEqual({ text: `Echo: ${value}` });
    for (const some of batches(VALUES, 25)) {
      const message = some.map((_, i) => `{{ args.values[${i}] }}`).join(MARK);
      expect(await echoed(workOf({ tool: "everything.echo", params: { message } }), some)).toEqual({
        text: `Echo: ${some.join(MARK)}`,
      });
    }
    expect(readdirSync(tools.path)).not.toContain(SIDE_FILE);
  } finally {
    await tools.stop();
  }

  async function echoed(work: PlanWork, values: readonly string[]) {
    if (work.kind !== "tool") throw new Error("This is no tool.");
    const params = render(work.params, scopeOf(values));
    return (await tools.use(`${work.server}.${work.tool}`, params as { message: string })).value; // as it is written above
  }
});

function batches(values: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size));
}

function scopeOf(values: readonly string[]): Scope {
  return { input: { values: [...values] }, context: {}, steps: {}, vars: {}, run: {}, names: ["input"] };
}

/** What a definition's step does, read as definitions are. */
function workOf(step: object): PlanWork {
  const plan = planOf({ dialect: "phases", name: "w", steps: [{ id: "a", ...step }] });
  const [first] = plan.steps;
  if (!first) throw new Error("The plan has no step.");
  return first.work;
}

/** Run a command by the activity that steps use, in the project's folder. */
async function run(command: string, values: readonly string[]): Promise<void> {
  const work = workOf({ command });
  if (work.kind !== "shell") throw new Error("This is no command.");
  const rendered = renderCommand(work.command, scopeOf(values));
  const call = callOf(project.run("run_1", "in_place"), { command: rendered.command, env: rendered.env }, { kind: "shell" });
  await runActivity((given: typeof call) => shell({ journal, log: { append: async () => {} } }, given), call);
}

/** What the model was given as the prompt of this work. */
async function prompted(work: PlanWork, values: readonly string[]): Promise<string | undefined> {
  if (work.kind !== "agent") throw new Error("This is no agent.");
  const prompt = asText(render(work.prompt, scopeOf(values)));
  const home = realpathSync(testFolder());
  mkdirSync(join(home, "agents"), { recursive: true });
  const agent = createAgentActivity({ home, journal, log: { append: async () => {} } });
  const before = model.requests.length;
  await runActivity(agent, callOf(project.run("run_1", "in_place"), { provider: "claude", prompt } as const, { kind: "agent" }));
  return model.requests.slice(before).at(-1)?.conversation.exchanges[0]?.prompt;
}

/** The name, when git takes it for a branch's. */
async function takenAsBranch(name: string): Promise<string | null> {
  return checkBranchName(client, name).catch(() => null);
}

/** Words as `git rev-parse --sq-quote` writes them: in single quotes, with ' and ! by a backslash outside of them. */
function unquoted(line: string): string[] {
  const words = line.matchAll(/ ((?:'[^']*'|\\['!])+)/g);
  return [...words].map(([, word = ""]) => word.replace(/'([^']*)'|\\(['!])/g, (_, inside, alone) => alone ?? inside));
}

function expectNoSideFile(): void {
  expect(existsSync(join(project.path, SIDE_FILE))).toBe(false);
  expect(git(project.path, "status", "--porcelain", "--", ":(exclude).agent")).toBe("");
}
