// What comes next is checked by what has been: runs under way are replayed with a changed definition, or with another Longhaul.
// `npm run deploys` has 200 runs of 10 versions and every edit; else a few runs, and edits chosen by a seed.
import { join } from "node:path";
import { pino } from "pino";
import { beforeAll, describe, expect, test } from "vitest";
import { DeployCheck } from "../../contract/deploy-check.js";
import { getRun } from "../../db/runs.js";
import { runWorker } from "../../worker/run-worker.js";
import { Random } from "../faults/random.js";
import { type Longhaul, longhaul, type StartedRun } from "../support/longhaul.js";
import { type Ask, served } from "../support/served.js";
import { testFolder } from "../support/stack.js";
import { DEFINITION_EDITS, RELEASE } from "./definition-edits.js";
import { delivery, startFleet } from "./fleet.js";
import { INTERPRETER_EDITS } from "./interpreter-edits.js";
import { changeBuild, otherBuild } from "./other-build.js";

const LONG = process.env.LONGHAUL_DEPLOYS === "long";
const SEED = Number(process.env.LONGHAUL_SEED ?? Date.now() % 1_000_000);
const LIMIT = LONG ? 3_600_000 : 120_000;
const VERSIONS = LONG ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [4, 5];
const PLAN = `name: nightly
steps:
  - id: fetch
    type: script
    command: echo fetched
  - id: ask
    type: approval
    message: Go on?
  - id: ship
    type: script
    command: echo shipped
`;

let stack: Longhaul;
let ask: Ask;
let build: string;
let fleet: string[];
let released: string[];
beforeAll(async () => {
  say(`seed ${SEED}`);
  stack = await longhaul();
  ask = await served(stack);
  build = otherBuild(join(testFolder(), "next"), (code) => code);
  fleet = [];
  for (const version of VERSIONS) fleet.push(...(await startFleet(stack, delivery(version), 1)));
  released = await startFleet(stack, RELEASE, 2);
}, LIMIT);

describe("another build of Longhaul", { timeout: LIMIT }, () => {
  test.each(chosen(INTERPRETER_EDITS, ({ breaks }) => breaks === "none"))("fits in spite of $name", async ({ name, apply }) => {
    changeBuild(build, apply);

    const check = await checkBuild();

    expect(check).toMatchObject({
      ok: true,
      open: fleet.length,
      breaks: [],
      unknown: [],
      build: { folder: build, version: "0.2.0" },
    });
    figures(name, check);
  });

  test.each(chosen(INTERPRETER_EDITS, ({ breaks }) => breaks !== "none"))(
    "does not fit: $name",
    async ({ name, breaks, apply }) => {
      changeBuild(build, apply);

      const check = await checkBuild();

      const branched = await having("git", fleet);
      expect(check.ok).toBe(false);
      expect(check.breaks.map(({ run_id }) => run_id).sort()).toEqual((breaks === "git" ? branched : fleet).toSorted());
      for (const { step, instead, line, file } of check.breaks) {
        expect(step ?? instead).not.toBeNull();
        expect(file).toMatch(/\.ts$/);
        expect(line).toBeGreaterThan(4);
      }
      figures(name, check);
    },
  );

  test.runIf(LONG)(
    "is accepted or refused for 200 runs of 10 versions under way, and names those of which it is refused",
    async () => {
      const many: string[] = [];
      for (const version of VERSIONS) many.push(...(await startFleet(stack, delivery(version, "many"), 20)));
      const { workflow_id } = await getRun(stack.db, many[0] ?? "");
      const against = async (name: string) => {
        changeBuild(build, INTERPRETER_EDITS.find((edit) => edit.name === name)?.apply ?? ((code) => code));
        const result = await check("/api/builds/check", { build, workflow_id });
        figures(name, result);
        return result;
      };

      const compatible = await against("a new log line");
      const ofSome = await against("an activity gets another name");
      const ofAll = await against("steps are numbered from 2");

      expect(compatible).toMatchObject({ ok: true, open: 200, breaks: [], unknown: [] });
      expect(ofSome.breaks.map(({ run_id }) => run_id).sort()).toEqual((await having("git", many)).toSorted());
      expect(ofSome.breaks).toHaveLength(40);
      expect(ofAll.breaks.map(({ run_id }) => run_id).sort()).toEqual(many.toSorted());
    },
  );

  test("is refused when there is none, with the way out", async () => {
    const nowhere = await ask("POST", "/api/builds/check", { build: testFolder() });
    const relative = await ask("POST", "/api/builds/check", { build: "next" });

    expect(nowhere).toMatchObject({
      status: 400,
      body: { errors: [{ path: "build", message: /no package\.json.*installed in/ }] },
    });
    expect(relative).toMatchObject({ status: 400, body: { errors: [{ path: "build", message: /absolute/ }] } });
  });
});

describe("a changed definition", { timeout: LIMIT }, () => {
  test.each(chosen(DEFINITION_EDITS, ({ breaks }) => breaks === null))(
    "lets runs go on as they are: $name",
    async ({ name, apply }) => {
      const check = await checkRelease(apply(RELEASE));

      expect(check).toMatchObject({ ok: true, open: released.length, breaks: [], unknown: [] });
      for (const { dropped } of check.forks) expect(dropped).toEqual([]);
      figures(name, check);
    },
  );

  test.each(chosen(DEFINITION_EDITS, ({ breaks }) => breaks !== null))(
    "would lead runs another way: $name",
    async ({ name, breaks, apply }) => {
      const source = apply(RELEASE);

      const check = await checkRelease(source);

      expect(check).toMatchObject({ ok: false, revision: 2, stay: [{ revision: 1, runs: released.length }] });
      expect(check.breaks.map(({ run_id }) => run_id).sort()).toEqual(released.toSorted());
      for (const { step, instead, line } of check.breaks) {
        expect(step?.key ?? "").toBe(breaks);
        if (instead) expect(source.split("\n")[(line ?? 0) - 1]).toContain(instead.kind === "sleep" ? "sleep" : instead.key);
        else expect(line).toBeGreaterThan(4);
      }
      figures(name, check);
    },
  );

  test("in YAML says which steps a fork takes over, and where the definition says the one that breaks", async () => {
    const run = await stack.start(PLAN, { ending: ".yaml" });
    await run.until(({ waiting_for }) => waiting_for?.kind === "approval");
    const { workflow_id } = await run.row();
    const checked = (text: string) => check(`/api/workflows/${workflow_id}/check`, { definition: text });

    const renamed = await checked(PLAN.replace("id: fetch", "id: load"));
    const other = await checked(PLAN.replace("echo fetched", "echo got").replace("echo shipped", "echo sent"));
    const same = await checked(PLAN);

    const none = { reused: [], changed: [], perhaps: [], dropped: [] };
    expect(other).toMatchObject({ ok: true, revision: 2, forks: [{ ...none, run_id: run.id, changed: ["fetch"] }] });
    expect(same).toMatchObject({
      ok: true,
      revision: 1,
      stay: [{ revision: 1, runs: 1 }],
      forks: [{ ...none, reused: ["fetch"] }],
    });
    expect(renamed).toMatchObject({
      ok: false,
      breaks: [{ run_id: run.id, line: 3, step: { key: "fetch", line: 3 }, instead: { key: "load", line: 3 } }],
      forks: [{ ...none, dropped: ["fetch"] }],
    });
    expect(await run.row()).toMatchObject({ status: "waiting", workflow_revision: 1 });
  });
});

test("a run that a deployed build does not replay stands still, says why, and goes on when the older build is back", {
  timeout: LIMIT,
}, async () => {
  const run = await stack.start(RELEASE);
  await run.until(({ waiting_for }) => waiting_for?.kind === "approval");
  changeBuild(build, INTERPRETER_EDITS.find(({ name }) => name === "the time limit has no timer")?.apply ?? ((code) => code));
  await stack.worker.stop();
  const next = await runWorker(stack.config, pino({ level: "silent" }), { workflowCode: join(build, "dist/workflow-host.cjs") });
  const comments = async () => (await ask("GET", `/api/runs/${run.id}/comments`)).body.data;

  await expect(answered(run)).rejects.toThrow();
  await expect
    .poll(comments, { timeout: 60_000 })
    .toMatchObject([
      { comment_type: "system", text: expect.stringMatching(/stands still\. Nothing is lost.*[Nn]ondeterminism/s) },
    ]);
  expect((await run.row()).status).toBe("waiting");
  await next.stop();
  stack.worker = await stack.startWorker();
  await expect.poll(() => answered(run).then(() => "answered"), { timeout: 60_000 }).toBe("answered");

  expect(await run.finished()).toMatchObject({ status: "completed", error: null });
  expect(await comments()).toHaveLength(1);
});

/** An answer that no worker took at first may be taken later, and then decides. */
async function answered(run: StartedRun): Promise<void> {
  const reply = await ask("POST", `/api/runs/${run.id}/approvals/go`, { answer: "approve" });
  if (reply.status > 202 && reply.status !== 409) throw new Error(JSON.stringify(reply.body));
}

/** All of them, or one chosen by the seed. */
function chosen<Edit>(edits: readonly Edit[], wanted: (edit: Edit) => boolean): Edit[] {
  const left = edits.filter(wanted);
  if (LONG) return left;
  return [new Random(SEED * 7_919).pick(left)];
}

async function checkBuild(): Promise<DeployCheck> {
  const row = await getRun(stack.db, fleet[0] ?? "");
  return check("/api/builds/check", { build, workflow_id: row.workflow_id });
}

async function checkRelease(definition: string): Promise<DeployCheck> {
  const row = await getRun(stack.db, released[0] ?? "");
  return check(`/api/workflows/${row.workflow_id}/check`, { definition });
}

async function check(path: string, body: object): Promise<DeployCheck> {
  const reply = await ask("POST", path, body);
  expect(reply.body).toHaveProperty("data");
  return DeployCheck.parse(reply.body.data);
}

async function having(kind: string, ids: readonly string[]): Promise<string[]> {
  const rows = await Promise.all(ids.map((id) => getRun(stack.db, id)));
  return rows.filter(({ steps }) => steps.some((step) => step.kind === kind)).map(({ id }) => id);
}

function figures(name: string, { open, closed, breaks, took_ms }: DeployCheck): void {
  const each = Math.round(took_ms / Math.max(1, open + closed));
  say(`${breaks.length === 0 ? "fits  " : "breaks"} ${name}: ${breaks.length} of ${open} runs named, ${each} ms a history`);
  if (breaks[0]) say(`       ${breaks[0].file}:${breaks[0].line}: ${breaks[0].message}`);
}

function say(text: string): void {
  if (LONG) process.stdout.write(`${text}\n`);
}
