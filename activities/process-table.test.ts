import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { processTable } from "./process-table.js";

test("who asks at the same time shares one look; a later one sees what has begun since", async () => {
  const [one, two] = [processTable(), processTable()];
  expect(two).toBe(one);
  const before = await one;
  expect(before.map(({ pid }) => pid)).toContain(process.pid);

  const child = spawn("sleep", ["60"]);
  try {
    await once(child, "spawn");
    const after = await processTable();
    expect(before.map(({ pid }) => pid)).not.toContain(child.pid);
    expect(after.map(({ pid }) => pid)).toContain(child.pid);
  } finally {
    child.kill("SIGKILL");
  }
});
