import { writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { placeOf, removeUnfinished, runFolder, temporaryBeside, writeRunFile } from "./run-folder.js";

test("what a killed process left half-written is removed, and nothing else", async () => {
  const project = testFolder();
  await writeRunFile(project, "run_1", "metadata.json", "{}");
  const artifact = await placeOf(project, "run_1", "artifacts/001-build/report.txt");
  writeFileSync(artifact, "whole");
  writeFileSync(temporaryBeside(artifact), "being written by this very process");
  for (const place of ["", "artifacts/001-build"])
    writeFileSync(join(runFolder(project, "run_1"), place, ".0123456789ab-ba9876543210.tmp"), "half");

  await removeUnfinished(project, "run_1");

  const left = await readdir(runFolder(project, "run_1"), { recursive: true });
  expect(left.filter((name) => name.includes("0123456789ab"))).toEqual([]);
  expect(left.filter((name) => name.endsWith(".tmp"))).toHaveLength(1);
  expect(left).toEqual(expect.arrayContaining(["metadata.json", "artifacts/001-build/report.txt"]));
  await expect(removeUnfinished(project, "run_2")).resolves.toBeUndefined();
});
