import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { callOf, runActivity } from "../test/support/activity.js";
import { createArtifactActivity } from "./artifact.js";
import { kindOf } from "./artifact-kind.js";
import { artifactNameProblem, storeArtifact } from "./artifact-store.js";
import { Journal } from "./journal.js";

let folder: string;
let run: { run_id: string; project_path: string };
const step = { id: "run_1-3", number: 3, key: "Run tests!" };

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-artifacts-")));
  run = { run_id: "run_1", project_path: folder };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const read = (path: string) => readFileSync(join(folder, path), "utf8");

describe("storeArtifact", () => {
  test("keeps the bytes in the step's folder and says what they are", async () => {
    const row = await storeArtifact(run, { name: "report.html", step, source: { content: "<p>ü" }, metadata: { passed: 3 } });
    expect(row).toEqual({
      id: expect.stringMatching(/^run_1-3-a[0-9a-f]{10}$/),
      run_id: "run_1",
      step_id: "run_1-3",
      agent_session_id: null,
      name: "report.html",
      file_path: ".agent/workflows/executions/run_1/artifacts/003-Run-tests/report.html",
      type: "document",
      file_type: "document",
      mime_type: "text/html",
      size_bytes: 5,
      sha256: sha256("<p>ü"),
      version: 1,
      metadata: { passed: 3 },
    });
    expect(read(row.file_path)).toBe("<p>ü");
  });

  test("is the same artifact for the same bytes, and the next version for others", async () => {
    const keep = (content: string) => storeArtifact(run, { name: "a.txt", step: null, source: { content } });
    const [one, again, two, back] = [await keep("one"), await keep("one"), await keep("two"), await keep("one")];
    expect(again).toEqual(one);
    expect(back).toEqual(one);
    expect(two).toMatchObject({
      id: `${one.id}-2`,
      version: 2,
      file_path: ".agent/workflows/executions/run_1/artifacts/execution/a@2.txt",
    });
    expect([read(one.file_path), read(two.file_path)]).toEqual(["one", "two"]);
  });

  test("never mixes what is stored at the same time", async () => {
    const contents = Array.from({ length: 8 }, (_, i) => String(i % 4).repeat(100_000));
    const rows = await Promise.all(contents.map((content) => storeArtifact(run, { name: "a.bin", step, source: { content } })));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(4);
    expect(rows.map((row) => read(row.file_path))).toEqual(contents);
    expect(readdirSync(join(folder, ".agent/workflows/executions/run_1/artifacts/003-Run-tests"))).toHaveLength(4);
  });

  test("copies a file of any size, but no link and no folder", async () => {
    writeFileSync(join(folder, "large.bin"), Buffer.alloc(3_000_000, 7));
    expect(await storeArtifact(run, { name: "l.bin", step, source: { file: join(folder, "large.bin") } })).toMatchObject({
      size_bytes: 3_000_000,
      file_type: "other",
    });
    symlinkSync("/etc/passwd", join(folder, "link"));
    for (const file of ["link", "none", "."]) {
      await expect(storeArtifact(run, { name: "x", step, source: { file: join(folder, file) } })).rejects.toMatchObject({
        type: "file_missing",
      });
    }
  });

  test.each([
    "../../x",
    "/etc/x",
    "..\\x",
    "%2e%2e%2f",
    "a/../../b",
    "",
    ".",
    "..",
    "a".repeat(4096),
    "con",
    "NUL.txt",
    "a\0b",
    "a\nb",
    "x@2.txt",
    "a.",
    " a",
    "\ud800",
  ])("refuses the name %j", async (name) => {
    await expect(storeArtifact(run, { name, step, source: { content: "x" } })).rejects.toMatchObject({ type: "invalid_name" });
    expect(existsSync(join(folder, ".agent"))).toBe(false);
  });

  test("takes the names people use", () => {
    for (const name of ["a", "Report 2.pdf", "übersicht.md", "me@home.txt", "console.log", "100%.txt"])
      expect(artifactNameProblem(name)).toBeNull();
  });

  test("follows no link on the way to its folder", async () => {
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), join(folder, ".agent"));
    await expect(storeArtifact(run, { name: "x", step, source: { content: "x" } })).rejects.toThrow(/no link/);
    expect(readdirSync(join(folder, "elsewhere"))).toEqual([]);
  });
});

test.each([
  ["shot.png", {}, { type: "screenshot", file_type: "image", mime_type: "image/png" }],
  ["shot", { type: "screenshot" }, { type: "screenshot", file_type: "image", mime_type: "application/octet-stream" }],
  ["clip.mp4", {}, { type: "other", file_type: "video", mime_type: "video/mp4" }],
  ["build.log", {}, { type: "log_file", file_type: "document", mime_type: "text/plain" }],
  ["x", { file_type: "image" }, { type: "screenshot", file_type: "image", mime_type: "application/octet-stream" }],
  ["x", { mime_type: "image/gif" }, { type: "screenshot", file_type: "image", mime_type: "image/gif" }],
  ["junit-results.xml", {}, { type: "test_report", file_type: "code", mime_type: "application/xml" }],
  ["main.ts", {}, { type: "other", file_type: "code", mime_type: "text/x-typescript" }],
  ["a.pdf", { type: "test_report" }, { type: "test_report", file_type: "document", mime_type: "application/pdf" }],
  ["dist.zip", {}, { type: "build_output", file_type: "other", mime_type: "application/zip" }],
  ["__proto__.constructor", {}, { type: "other", file_type: "other", mime_type: "application/octet-stream" }],
] as const)("kindOf %s %j", (name, given, kind) => expect(kindOf(name, given)).toEqual(kind));

describe("the artifact activity", () => {
  test("keeps a file of the tree or a text, and reports the row beside its value", async () => {
    const tree = join(folder, "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "out.txt"), "out");
    symlinkSync("/etc/passwd", join(tree, "link"));
    const journal = new Journal(join(folder, "journal"));
    const artifact = createArtifactActivity({ journal, log: { append: async () => {} } });
    const ref = { ...run, project_id: "prj_1", workspace: { mode: "in_place" as const, path: tree, base_branch: null } };
    const keep = (input: Parameters<typeof artifact>[0]["input"]) =>
      runActivity(artifact, callOf(ref, input, { kind: "artifact" }));

    const { value, artifacts } = await keep({ name: "out.txt", path: "out.txt" });
    expect(artifacts).toEqual([value]);
    expect(read(value.file_path)).toBe("out");
    expect((await keep({ name: "text.md", content: "# Text", type: "document" })).value).toMatchObject({
      mime_type: "text/markdown",
    });
    await expect(keep({ name: "x" })).rejects.toMatchObject({ type: "invalid_input" });
    await expect(keep({ name: "x", content: "", type: "report" as "document" })).rejects.toMatchObject({
      type: "invalid_input",
      message: expect.stringContaining("screenshot, log_file"),
    });
    await expect(keep({ name: "x", path: "link" })).rejects.toMatchObject({ type: "invalid_path" });
    await expect(keep({ name: "x", path: "none" })).rejects.toMatchObject({ type: "file_missing" });
    await journal.stop();
  });
});
