import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fact } from "../contract/fact.js";
import { testFolder } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { appendEventFile, readEventFile } from "./event-file.js";
import { readLogChunks } from "./log-chunks.js";
import { recreateMirror } from "./migrate.js";
import { applyAccepted, applyFacts, deleteRun } from "./projection.js";
import { settleRun } from "./projection-correct.js";
import { appendLateFact, readLateFacts, readStepOutput, rebuildRun } from "./rebuild.js";
import { appendRunFile, runFolder } from "./run-folder.js";

let db: Database;
let url: string;
let close: () => Promise<void>;
const project = testFolder();

beforeAll(async () => {
  ({ db, url, close } = await told.preparedDatabase());
});

afterAll(() => close());

test("a mirror that was dropped is rebuilt row for row, cursors included", async () => {
  const facts = await tellMixedRun("run_a");
  const before = await told.mirrorOf(db, "run_a");

  await recreateMirror(url);
  const rebuilt = await rebuildRun(db, await recorded("run_a", facts));

  expect(rebuilt).toEqual({ rebuilt: true, renumbered: false });
  expect(await told.mirrorOf(db, "run_a")).toEqual(before);
});

test("the output of steps is taken from the run folder, in its place among the lines of the log", async () => {
  const facts = await tellMixedRun("run_o");
  const line = (text: string, n: number) => ({
    run_id: "run_o",
    step_id: "run_o-1",
    attempt: 1,
    stream: "stdout" as const,
    level: "info" as const,
    offset: 0,
    text,
    at: told.second(n),
  });
  await appendRunFile(
    project,
    "run_o",
    "logs/001-test/events.jsonl",
    [line("early", 4), line("later", 6)].map((chunk) => `${JSON.stringify(chunk)}\n`).join(""),
  );
  await recreateMirror(url);
  await rebuildRun(db, { ...(await recorded("run_o", facts)), output: await readStepOutput(project, "run_o") });

  expect((await readLogChunks(db, "run_o")).map(({ text }) => text)).toEqual([
    "early",
    "looking around\n",
    "later",
    "two tests were skipped\n",
  ]);
});

test("rebuilding twice changes nothing", async () => {
  const facts = told.eventfulRun("run_a", "e1");
  await rebuildRun(db, await recorded("run_a", facts));
  const before = await told.mirrorOf(db, "run_a");
  await rebuildRun(db, await recorded("run_a", facts));

  expect(await told.mirrorOf(db, "run_a")).toEqual(before);
});

test("without its file of events a run is numbered anew, and that is said", async () => {
  const facts = await tellMixedRun("run_b");
  await recreateMirror(url);

  const rebuilt = await rebuildRun(db, { runId: "run_b", executions: [{ execution: "e1", facts }], events: null, late: [] });

  expect(rebuilt).toEqual({ rebuilt: true, renumbered: true });
  expect((await told.mirrorOf(db, "run_b")).events).toHaveLength(22);
});

test("what was told again under other numbers, as its end came too early, is no event more", async () => {
  const begin = [told.created("run_n"), told.status("running")];
  const rest = [told.stepStarted("run_n", 1, "lint"), told.stepFinished("run_n", 1), told.finished("completed")];
  await applyAccepted(db, told.accepted("run_n", told.created("run_n")));
  await applyAccepted(db, told.accepted("run_n", told.comment("run_n", "cmt_n", "Meanwhile")));
  await applyFacts(db, "run_n", "e1", told.narration("run_n", "e1", [...begin, ...rest]));
  const facts = told.narration("run_n", "e1", [...begin, told.comment("run_n", "cmt_n", "Meanwhile"), ...rest]);
  await applyFacts(db, "run_n", "e1", facts);
  await appendEventFile(db, project, "run_n");
  const { events } = await told.mirrorOf(db, "run_n");

  await recreateMirror(url);
  await rebuildRun(db, await recorded("run_n", facts));

  expect((await told.mirrorOf(db, "run_n")).events).toEqual(events);
});

test("a run that was terminated is settled again", async () => {
  const facts = told.narration("run_s", "e1", [
    told.created("run_s"),
    told.status("running"),
    told.stepStarted("run_s", 1, "lint"),
    told.session("run_s", 1, "running"),
  ]);
  const settled = {
    execution: "e1",
    status: "failed" as const,
    error: { type: "Terminated", message: "Ended." },
    at: told.second(30),
  };
  await applyFacts(db, "run_s", "e1", facts);
  await settleRun(db, "run_s", "e1", settled);
  await appendEventFile(db, project, "run_s");
  const before = await told.mirrorOf(db, "run_s");

  await recreateMirror(url);
  await rebuildRun(db, { ...(await recorded("run_s", facts)), settled });

  expect(await told.mirrorOf(db, "run_s")).toEqual(before);
  expect(JSON.stringify(before)).toContain('"status":"cancelled","session_file_path"'); // of the session, in its last event
});

test("a deleted run stays deleted", async () => {
  const facts = await tellMixedRun("run_d");
  await deleteRun(db, "run_d");

  expect(await rebuildRun(db, await recorded("run_d", facts))).toEqual({ rebuilt: false, renumbered: false });
});

test("the file of events takes up where it ended, also after a crash in mid line", async () => {
  const facts = told.eventfulRun("run_f", "e1");
  await applyFacts(db, "run_f", "e1", facts.slice(0, 6));
  await appendEventFile(db, project, "run_f");
  const file = join(runFolder(project, "run_f"), "events.jsonl");
  const whole = await readFile(file, "utf8");
  await applyFacts(db, "run_f", "e1", facts);
  await appendFile(file, '{"seq":6,"key":"e1:');

  expect(await appendEventFile(db, project, "run_f")).toBe(22);
  expect((await readFile(file, "utf8")).startsWith(whole)).toBe(true);
  expect((await readEventFile(project, "run_f"))?.map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));

  await writeFile(file, "");
  expect(await appendEventFile(db, project, "run_f")).toBe(22);
});

/** A run with narration, words of the API while it was open, and words of the API when it was closed. */
async function tellMixedRun(runId: string): Promise<Fact[]> {
  const facts = told.eventfulRun(runId, "e1");
  await applyAccepted(db, told.accepted(runId, told.created(runId)));
  await applyFacts(db, runId, "e1", facts.slice(0, 9));
  await applyFacts(db, runId, "e1", facts.slice(4, 20));
  await applyFacts(db, runId, "e1", facts.slice(20));
  const late = [
    told.accepted(runId, told.comment(runId, `cmt_${runId}`, "Well done", { created_by: "local" }), told.second(50)),
    told.accepted(runId, told.artifact(runId, `art_${runId}`), told.second(51)),
    told.accepted(
      runId,
      { type: "artifact.attached", artifact_id: `art_${runId}`, comment_id: `cmt_${runId}`, request: "att_1" },
      told.second(52),
    ),
  ];
  for (const fact of late) {
    await applyAccepted(db, fact);
    await appendLateFact(project, fact);
  }
  await appendEventFile(db, project, runId);
  return facts;
}

async function recorded(runId: string, facts: Fact[]) {
  const events = await readEventFile(project, runId);
  return { runId, executions: [{ execution: "e1", facts }], events, late: await readLateFacts(project, runId) };
}
