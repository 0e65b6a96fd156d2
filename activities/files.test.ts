import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeFile } from "../test/support/git-project.js";
import { copyInside, deleteInside, existsInside, listInside, READ_BYTES, readFileInside, writeFileInside } from "./files.js";
import { thisProcess } from "./process-owner.js";
import { unfinishedBeside } from "./unfinished-file.js";

let folder: string;
let root: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-files-")));
  root = join(folder, "tree");
  mkdirSync(root);
  writeFileSync(join(folder, "secret.txt"), "secret");
  mkdirSync(join(folder, "outside"));
  symlinkSync(join(folder, "outside"), join(root, "out"));
  symlinkSync(join(folder, "secret.txt"), join(root, "link.txt"));
  symlinkSync(join(folder, "nothing"), join(root, "dangling"));
  writeFile(join(root, ".git/config"), "[core]\n");
  writeFile(join(root, "src/a.txt"), "a");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OUTSIDE = ["..", "../secret.txt", "/etc/passwd", "src/../../secret.txt", "out/x.txt", "out/../../secret.txt", "", "a\0b"];

describe("nothing outside the tree", () => {
  test.each(OUTSIDE)("is read, written, removed, copied or listed: %j", async (path) => {
    const type = "invalid_path";
    await expect(writeFileInside(root, { path, content: "x" })).rejects.toMatchObject({ type });
    await expect(deleteInside(root, { path })).rejects.toMatchObject({ type });
    await expect(copyInside(root, { from: "src/a.txt", to: path })).rejects.toMatchObject({ type });
    if (path === "out/x.txt") writeFileSync(join(folder, "outside/x.txt"), "x");
    for (const read of [readFileInside, existsInside, listInside])
      await expect(read(root, { path })).rejects.toMatchObject({ type });
    await expect(copyInside(root, { from: path, to: "b.txt" })).rejects.toMatchObject({ type });
    expect(readFileSync(join(folder, "secret.txt"), "utf8")).toBe("secret");
  });

  test("is reached by a link in the last place", async () => {
    for (const path of ["link.txt", "dangling"]) {
      await expect(writeFileInside(root, { path, content: "x" })).rejects.toMatchObject({ type: "invalid_path" });
      await expect(copyInside(root, { from: "src/a.txt", to: path })).rejects.toMatchObject({ type: "invalid_path" });
    }
    await expect(readFileInside(root, { path: "link.txt" })).rejects.toMatchObject({ type: "invalid_path" });
    await expect(listInside(root, { path: "out" })).rejects.toMatchObject({ type: "invalid_path" });
    expect(existsSync(join(folder, "nothing"))).toBe(false);
    // A link itself may be removed: what it names stays.
    expect(await deleteInside(root, { path: "link.txt" })).toEqual({ path: "link.txt", deleted: true });
    expect(await deleteInside(root, { path: "out" })).toMatchObject({ deleted: true });
    expect(existsSync(join(folder, "secret.txt")) && existsSync(join(folder, "outside"))).toBe(true);
  });

  test.each([
    ".git/config",
    ".git",
    ".GIT/hooks/x",
    "sub/.git/config",
    ".git /x",
    "git~1/x",
    ".agent/workflows/executions/run_1/args.json",
    ".agent",
  ])("nor what is git's own or a run's record: %s", async (path) => {
    const type = "invalid_path";
    await expect(writeFileInside(root, { path, content: "x" })).rejects.toMatchObject({ type });
    await expect(deleteInside(root, { path })).rejects.toMatchObject({ type });
    await expect(copyInside(root, { from: "src/a.txt", to: path })).rejects.toMatchObject({ type });
    expect(readFileSync(join(root, ".git/config"), "utf8")).toBe("[core]\n");
  });
});

describe("files", () => {
  test("are written whole, with the folders on the way and their mode kept", async () => {
    expect(await writeFileInside(root, { path: "new/deep/ü.txt", content: "ü" })).toEqual({ path: "new/deep/ü.txt", bytes: 2 });
    writeFileSync(join(root, "run.sh"), "#!/bin/sh", { mode: 0o755 });
    await writeFileInside(root, { path: "run.sh", content: "changed" });
    expect(statSync(join(root, "run.sh")).mode & 0o777).toBe(0o755);
    await writeFileInside(root, { path: "bytes.bin", content: "AAEC/w==", encoding: "base64" });
    expect([...readFileSync(join(root, "bytes.bin"))]).toEqual([0, 1, 2, 255]);
    expect(await readFileInside(root, { path: "bytes.bin", encoding: "base64" })).toBe("AAEC/w==");
    await expect(writeFileInside(root, { path: "x", content: "!", encoding: "base64" })).rejects.toMatchObject({
      type: "invalid_input",
    });
    await expect(writeFileInside(root, { path: "src", content: "x" })).rejects.toMatchObject({ type: "invalid_path" });
    await expect(writeFileInside(root, { path: "src/a.txt/b", content: "x" })).rejects.toBeInstanceOf(Error);
    expect(readdirSync(root).filter((name) => name.includes("longhaul"))).toEqual([]);
  });

  test("that a dead process has left half-written go with the next write beside them, and those of a living one stay", async () => {
    const { pid, started } = thisProcess();
    const living = unfinishedBeside(join(root, "src/b.txt"));
    const dead = living.replace(`-${pid}-${started}-`, `-${pid}-0-`);
    for (const file of [living, dead]) writeFileSync(file, "half");

    await writeFileInside(root, { path: "src/b.txt", content: "b" });
    expect(readdirSync(join(root, "src"))).toEqual([basename(living), "a.txt", "b.txt"]);
  });

  test("are read up to a limit that the error names", async () => {
    symlinkSync("src/a.txt", join(root, "inner-link"));
    expect(await readFileInside(root, { path: "inner-link" })).toBe("a");
    writeFileSync(join(root, "large"), Buffer.alloc(READ_BYTES + 1));
    await expect(readFileInside(root, { path: "large" })).rejects.toMatchObject({
      type: "file_too_large",
      message: /1048577 bytes/,
    });
    await expect(readFileInside(root, { path: "none" })).rejects.toMatchObject({ type: "file_missing" });
    await expect(readFileInside(root, { path: "src" })).rejects.toMatchObject({ type: "invalid_path" });
    execFileSync("mkfifo", [join(root, "pipe")]);
    await expect(readFileInside(root, { path: "pipe" })).rejects.toMatchObject({ type: "invalid_path" });
    expect([await existsInside(root, { path: "src/a.txt" }), await existsInside(root, { path: "src/b.txt" })]).toEqual([
      true,
      false,
    ]);
  });

  test("are removed, folders with all in them, and need not be there", async () => {
    expect(await deleteInside(root, { path: "src" })).toEqual({ path: "src", deleted: true });
    expect(await deleteInside(root, { path: "src" })).toEqual({ path: "src", deleted: false });
    expect(await deleteInside(root, { path: "no/such/file" })).toEqual({ path: "no/such/file", deleted: false });
    await expect(deleteInside(root, { path: "." })).rejects.toMatchObject({ type: "invalid_path" });
  });

  test("are copied one by one and as folders, links as links", async () => {
    symlinkSync(join(folder, "secret.txt"), join(root, "src/link"));
    writeFile(join(root, "src/.git/config"), "inner");
    await copyInside(root, { from: "src/a.txt", to: "b/c.txt" });
    await copyInside(root, { from: "src", to: "copy" });
    expect(readFileSync(join(root, "b/c.txt"), "utf8")).toBe("a");
    expect(readdirSync(join(root, "copy")).toSorted()).toEqual(["a.txt", "link"]);
    expect(lstatSync(join(root, "copy/link")).isSymbolicLink()).toBe(true);
    await expect(copyInside(root, { from: "src", to: "src/within" })).rejects.toMatchObject({ type: "invalid_path" });
    await expect(copyInside(root, { from: "none", to: "x" })).rejects.toMatchObject({ type: "file_missing" });
  });

  test("are listed without git's own", async () => {
    expect(await listInside(root, {})).toEqual(["dangling", "link.txt", "out", "src/"]);
    expect(await listInside(root, { path: "src" })).toEqual(["a.txt"]);
    expect(await listInside(root, { recursive: true })).toEqual(["dangling", "link.txt", "out", "src/a.txt"]);
    await expect(listInside(root, { path: "none" })).rejects.toMatchObject({ type: "file_missing" });
  });

  test("say that the tree is gone", async () => {
    rmSync(root, { recursive: true });
    await expect(readFileInside(root, { path: "x" })).rejects.toMatchObject({ type: "workspace_missing" });
    await expect(writeFileInside(root, { path: "x", content: "" })).rejects.toMatchObject({ type: "workspace_missing" });
  });
});
