import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Artifact } from "../../contract/artifact.js";
import { runFolder } from "../../db/run-folder.js";
import { type Api, HELLO, type Reply, startApi, TOKEN } from "../../test/support/api.js";
import { UPLOAD_LIMIT } from "../upload.js";

let api: Api;
let run: string;

beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
  run = await api.startRun();
});

const folder = () => join(runFolder(api.project.path, run), "artifacts");
const leftovers = () => (existsSync(folder()) ? readdirSync(folder()).filter((name) => name.startsWith(".upload")) : []);
const kept = async () => (await api.ask("GET", `/api/runs/${run}/artifacts?limit=100`)).body;

describe("an upload", () => {
  test("is there at once, byte for byte", async () => {
    const bytes = randomBytes(100_000);
    const { status, body } = await upload(bytes, "report.html", { type: "TEST_REPORT", fileType: "document" });
    const artifact: Artifact = body.data;

    expect(status).toBe(201);
    expect(artifact).toMatchObject({
      name: "report.html",
      version: 1,
      size_bytes: 100_000,
      type: "test_report",
      storage_type: "filesystem",
    });
    expect(artifact.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    for (const path of [`/api/artifacts/${artifact.id}`, `/api/artifacts/${artifact.id}/download`]) {
      const download = await fetch(`${api.url}${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } });
      expect(Buffer.from(await download.arrayBuffer()).equals(bytes)).toBe(true);
      expect(download.headers.get("content-disposition")).toBe(
        "attachment; filename=\"report.html\"; filename*=UTF-8''report.html",
      );
      expect(download.headers.get("content-security-policy")).toMatch(/^sandbox/);
      expect(download.headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect((await api.ask("GET", `/api/artifacts/${artifact.id}?meta=1`)).body).toMatchObject({ data: artifact });
  });

  test("of the same bytes is the same artifact, of others the next version", async () => {
    const first = await upload("one", "notes.txt");
    const again = await upload("one", "notes.txt");
    const other = await upload("two", "notes.txt");

    expect([first.status, again.status, other.status]).toEqual([201, 200, 201]);
    expect(again.body).toEqual(first.body);
    expect(other.body).toMatchObject({ data: { version: 2 } });
    expect(leftovers()).toEqual([]);
  });

  test("many at a time get versions of their own", async () => {
    const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => upload(`bytes ${i}`, "many.txt")));
    const versions = replies.map(({ body }) => (body.data as Artifact).version);

    expect(versions.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test.each([
    "../../x",
    "/etc/x",
    "..\\x",
    "%2e%2e%2f",
    "a/../../b",
    ".",
    "..",
    "x".repeat(4096),
    "con",
    "NUL.txt",
    "a\u0000b",
    "a\r\nX: y",
    " ",
  ])("called %j is refused, and nothing is kept", async (name) => {
    const before = await kept();

    expect((await upload("x", "fine.txt", { name })).status).toBe(400);
    expect(await kept()).toEqual(before);
    expect(leftovers()).toEqual([]);
  });

  test("whose file itself has a path for a name is refused", async () => {
    expect((await upload("x", "../../evil.txt")).status).toBe(400);
    expect((await upload("x", "a/b.txt")).status).toBe(400);
  });

  test("without a file, to a step of another run, or not multipart is refused", async () => {
    expect((await upload(null, "")).status).toBe(400);
    expect((await upload("x", "x.txt", { step_id: "other-1" })).status).toBe(400);
    expect((await upload("x", "x.txt", { colour: "red" })).status).toBe(400);
    expect((await api.ask("POST", `/api/runs/${run}/artifacts`, {})).status).toBe(415);
    expect(leftovers()).toEqual([]);
  });

  test("of 104,857,600 bytes is kept, and of one more is not", async () => {
    const bytes = Buffer.alloc(UPLOAD_LIMIT + 1, "x");
    const before = (await kept()).page.total;
    const largest = await upload(bytes.subarray(0, UPLOAD_LIMIT), "large.bin");
    const larger = await upload(bytes, "larger.bin");

    expect([largest.status, larger.status]).toEqual([201, 413]);
    expect((await kept()).page.total).toBe(before + 1);
    expect(leftovers()).toEqual([]);
  });

  test.each([
    ["broken off", 50_000, 100_000],
    ["shorter than it says", 1_000, 90_000],
  ])("%s leaves nothing", async (_what, sent, said) => {
    const before = await kept();
    const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="cut.bin"\r\n\r\n`;
    const socket = connect(api.port, "127.0.0.1").on("error", () => {});
    socket.write(
      `POST /api/runs/${run}/artifacts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n` +
        `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${said}\r\n\r\n${head}${"x".repeat(sent)}`,
    );
    await expect.poll(leftovers).toHaveLength(1);
    socket.destroy();

    await expect.poll(leftovers).toEqual([]);
    expect(await kept()).toEqual(before);
  });
});

describe("a stored file", () => {
  test("that was changed is not given out", async () => {
    const artifact: Artifact = (await upload("precious", "precious.txt")).body.data;
    writeFileSync(join(api.project.path, artifact.file_path), "Precious");

    expect((await api.ask("GET", `/api/artifacts/${artifact.id}`)).status).toBe(500);
  });

  test("that has become a link out of the folder is not followed", async () => {
    const artifact: Artifact = (await upload("mine", "link.txt")).body.data;
    const file = join(api.project.path, artifact.file_path);
    rmSync(file);
    symlinkSync("/etc/hostname", file);
    expect((await api.ask("GET", `/api/artifacts/${artifact.id}/download`)).status).toBe(404);

    renameSync(folder(), `${folder()}-elsewhere`);
    symlinkSync("/tmp", folder());
    expect((await upload("x", "through.txt")).status).toBe(500);
    rmSync(folder());
    renameSync(`${folder()}-elsewhere`, folder());
  });
});

describe("an artifact", () => {
  test("is attached to a comment of its run and detached", async () => {
    const artifact: Artifact = (await upload("proof", "proof.txt")).body.data;
    const { id: comment }: { id: string } = (await api.ask("POST", `/api/runs/${run}/comments`, { text: "see" })).body.data;
    const attached = await api.ask("PATCH", `/api/artifacts/${artifact.id}/attach`, { commentId: comment });

    expect(attached).toMatchObject({ status: 200, body: { data: { workflow_comment_id: comment } } });
    expect((await api.ask("GET", `/api/runs/${run}/comments?limit=1`)).body).toMatchObject({
      data: [{ artifacts: [{ id: artifact.id }] }],
    });
    expect((await api.ask("PATCH", `/api/artifacts/${artifact.id}/attach`, { comment_id: "cmt_none" })).status).toBe(400);
    const detached = await api.ask("DELETE", `/api/artifacts/${artifact.id}/detach`);
    expect(detached).toMatchObject({ status: 200, body: { data: { workflow_comment_id: null } } });
  });

  test("brought to a finished run is kept in its folder for a rebuild", async () => {
    const id = await api.startRun();
    await api.temporal.workflow.getHandle(id).terminate();
    const form = new FormData();
    form.set("file", new Blob(["late"]), "late.txt");
    const reply = await fetch(`${api.url}/api/runs/${id}/artifacts`, {
      method: "POST",
      headers: { Authorization: `Bearer ${TOKEN}` },
      body: form,
    });

    expect(reply.status).toBe(201);
    expect(readFileSync(join(runFolder(api.project.path, id), "late.jsonl"), "utf8")).toContain("artifact.created");
  });
});

async function upload(bytes: Buffer | string | null, name: string, fields: Record<string, string> = {}): Promise<Reply> {
  const form = new FormData();
  if (bytes !== null) form.set("file", new Blob([typeof bytes === "string" ? bytes : new Uint8Array(bytes)]), name);
  for (const [field, value] of Object.entries(fields)) form.set(field, value);
  const response = await fetch(`${api.url}/api/runs/${run}/artifacts`, {
    method: "POST",
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: form,
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}
