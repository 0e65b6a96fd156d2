import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { JournalFile } from "./journal-file.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-journal-file-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a line is in the file when it was appended, also for another process", async () => {
  const path = join(folder, "deep", "journal");
  const file = new JournalFile(path);

  file.append("one");
  file.append("zwölf");

  expect(execFileSync("cat", [path], { encoding: "utf8" })).toBe("one\nzwölf\n");
  expect(file.size).toBe(Buffer.byteLength("one\nzwölf\n"));
  await file.close();
});

test("what does not get to the disk is told with the next line, once", async () => {
  const path = join(folder, "pipe"); // takes what is written, and cannot be synced
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, "r+");
  const file = new JournalFile(path);
  file.append("one");

  await vi.waitFor(() => expect(() => file.append("two")).toThrow("EINVAL"), { timeout: 20_000 });
  file.append("three");

  await file.close();
  closeSync(reader);
});

test.runIf(process.platform === "linux")("a line that was cut off is ended before the next", async () => {
  const full = new JournalFile("/dev/full");
  expect(() => full.append("lost")).toThrow("ENOSPC");
  expect(() => full.append("lost too")).toThrow("ENOSPC");
  await full.close();

  const path = join(folder, "journal");
  // A file may grow to 8 bytes: the second line is torn. The limit is the process's own, so that the writer is one.
  const script = `
    const { JournalFile } = await import(${JSON.stringify(new URL("../dist/activities/journal-file.js", import.meta.url).href)});
    process.on("SIGXFSZ", () => {});
    const file = new JournalFile(${JSON.stringify(path)});
    file.append("four");
    try { file.append("a longer one"); } catch (error) { console.log(error.code); }
    execFileSync("prlimit", ["--fsize=unlimited:unlimited", "--pid", String(process.pid)]);
    file.append("last");
    await file.close();`;
  const out = execFileSync(
    "prlimit",
    [
      "--fsize=8:unlimited",
      process.execPath,
      "--input-type=module",
      "-e",
      `import { execFileSync } from "node:child_process";${script}`,
    ],
    { encoding: "utf8" },
  );

  expect(out.trim()).toBe("EFBIG");
  expect(readFileSync(path, "utf8")).toBe("four\na l\nlast\n");
});
