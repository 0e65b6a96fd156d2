import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogChunk } from "../contract/log.js";
import { testFolder } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { appendLogChunks, readLogChunks } from "./log-chunks.js";
import { keepMissingOutput } from "./missing-output.js";
import { applyAccepted } from "./projection.js";
import { appendRunFile } from "./run-folder.js";

const RUN = "run_missing";
const projectPath = testFolder();
let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
  await applyAccepted(db, told.accepted(RUN, told.created(RUN)));
}, 60_000);

afterAll(() => close());

test("brings what only the folder has into the database, once, and leaves a living worker's output to it", async () => {
  const both = piece(1, "both", 0, 1);
  await appendLogChunks(db, [both, piece(2, "its worker lives", 0, 1)]);
  // A second worker counts from 0 again.
  await write(1, [both, piece(1, "lost", 4, 2), piece(1, "again from 0", 0, 3), piece(1, "new", 12, 9)]);
  await write(2, [piece(2, "not asked for", 16, 2)]);

  const query = { runId: RUN, projectPath, steps: [`${RUN}-1`], before: at(5) };
  expect(await keepMissingOutput(db, query)).toBe(2);
  expect(await keepMissingOutput(db, query)).toBe(0);
  const texts = (await readLogChunks(db, RUN)).filter(({ stream }) => stream === "stdout").map(({ text }) => text);
  expect(texts).toEqual(["both", "its worker lives", "lost", "again from 0"]);
});

function piece(step: number, text: string, offset: number, second: number): LogChunk {
  return { run_id: RUN, step_id: `${RUN}-${step}`, attempt: 1, stream: "stdout", level: "info", offset, text, at: at(second) };
}

function at(second: number): string {
  return `2025-01-25T10:00:0${second}.000Z`;
}

async function write(step: number, pieces: LogChunk[]): Promise<void> {
  const lines = pieces.map((one) => `${JSON.stringify(one)}\n`).join("");
  await appendRunFile(projectPath, RUN, `logs/00${step}-build/events.jsonl`, lines);
}
