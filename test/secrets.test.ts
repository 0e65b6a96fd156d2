// A secret is given to steps, which do all they can to show it: nothing that is kept or told holds it, in any form.
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { Project } from "../contract/project.js";
import { WholeRun } from "../contract/whole-run.js";
import { runFolder } from "../db/run-folder.js";
import { type CliStack, cliStack } from "./support/cli.js";
import { scriptedModel } from "./support/scripted-model.js";

/** Letters and digits, found as they are in whatever holds them. */
const TOKEN = "tokPq7Xz91LmVb04Kd";
/** With all that URLs, JSON and shells write in another way. */
const PASSWORD = `pä$$ "w\\o'rd+/<&>=?% 9`;
const KEY = `-----BEGIN KEY-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw".repeat(2)}\nq83vEjRWeJCrze8hVGZ4\n-----END KEY-----`;
/** No secret: it shows that each place is looked through. */
const MARKER = "marker-5b1f-of-what-is-kept";

const NAMES = `["TOKEN", "PASSWORD", "KEY"]`;
/** Prints all of them in every form. */
const SHOW = `node -e '
  for (const name of ${NAMES}) {
    const v = process.env[name];
    const b = (before) => Buffer.from(before + v + "after");
    console.log([v, encodeURIComponent(v), new URLSearchParams({ v }), JSON.stringify(v), JSON.stringify(JSON.stringify({ v })),
      b("").toString("base64"), b("1").toString("base64"), b("12").toString("base64"), b("12").toString("base64url")].join("\\n"));
    console.error(v);
  }
  console.log("${MARKER}");'`;
/** In two writes, so that it comes in two pieces. */
const IN_PIECES = `printf %s "\${TOKEN:0:9}"; sleep 0.3; printf '%s\\n' "\${TOKEN:9}"`;

let it: CliStack;
let run: { id: string; folder: string };
let streamed = "";

beforeAll(async () => {
  await scriptedModel({
    rules: [
      {
        when: /SHOW IT/,
        moves: ({ results }) => [bash(SHOW), bash(`${SHOW} | tee leak.txt`), bash(IN_PIECES), { say: spoken(results) }],
      },
      { when: /SAY MUCH/, moves: ({ results }) => [bash(SHOW), { say: spoken(results).repeat(60) }] },
      {
        when: /SAY JSON/,
        moves: ({ results }) => [
          bash(`echo "$TOKEN"`),
          { tool: "StructuredOutput", input: { said: results.at(-1)?.text ?? "" } },
        ],
      },
    ],
  });
  it = await cliStack();
  await it.client.post("/api/projects", Project, { path: it.project });
  for (const [name, value] of Object.entries({ TOKEN, PASSWORD, KEY })) {
    expect((await it.run(["secrets", "set", name], { input: value })).code).toBe(0);
  }
  expect((await it.run(["projects", "set", ".", "allow_bypass=true"])).code).toBe(0);
  it.define(MARKER, BODY);
  const global = follow("/api/events");
  run = await runOf(MARKER);
  streamed += await global.end();
}, 240_000);

const AGENT = `permission: "bypassPermissions", secrets: ${NAMES}`;
const HAS_CODEX = process.env.LONGHAUL_CODEX_BIN !== undefined;
const BODY = `
  const secrets = ${NAMES};
  const said = await ctx.agent("tells", { prompt: "SHOW IT", ${AGENT} });
  if (${HAS_CODEX}) await ctx.agent("codex", { agent: "codex", prompt: "SHOW IT", ${AGENT} });
  await ctx.agent("much", { prompt: "SAY MUCH", ${AGENT} });
  const json = await ctx.agent("json", { prompt: "SAY JSON", ${AGENT}, schema: { type: "object", properties: { said: { type: "string" } }, required: ["said"] } });
  await ctx.shell(${JSON.stringify(SHOW)}, { name: "prints", secrets });
  await ctx.shell(${JSON.stringify(IN_PIECES)}, { name: "pieces", secrets });
  await ctx.shell(${JSON.stringify(`${SHOW}; ${SHOW} >&2; echo "$TOKEN failed" >&2; exit 3`)}, { name: "fails", secrets }).catch(() => {});
  await ctx.shell(${JSON.stringify(`all=$(${SHOW}); for i in $(seq 400); do echo "$all"; done | head -c 1500000`)}, { name: "floods", secrets });
  await ctx.shell("cat leak.txt", { name: "finds" });
  const read = await ctx.files.read("leak.txt");
  const listed = await ctx.run("tells on", async () => { ctx.log("${MARKER} " + read); return { read }; });
  await ctx.comment(said.text + read);
  ctx.set("${MARKER}", { said, json, listed });
  await ctx.artifact("answer.txt", { content: said.text + "${MARKER}" });
  return { said, json, read };`;

describe("a secret that steps show in every form", () => {
  test("was given to them, and they showed it", async () => {
    const whole = WholeRun.parse(JSON.parse((await it.run(["status", run.id, "--format", "json"])).stdout));
    const byKey = Object.fromEntries(whole.steps.map((step) => [step.step_id, step]));

    expect(whole.status).toBe("completed");
    expect(byKey.tells?.output).toMatchObject({ text: expect.stringContaining("***") });
    if (HAS_CODEX)
      expect(byKey.codex?.output).toMatchObject({ text: expect.stringMatching(new RegExp(`${MARKER}[^]*\\*\\*\\*`)) });
    expect(byKey.json?.output).toMatchObject({ data: { said: "***" } });
    expect(byKey.prints).toMatchObject({ status: "completed", input: { secrets: ["TOKEN", "PASSWORD", "KEY"] } });
    expect(byKey.pieces?.output).toMatchObject({ stdout: "***\n" });
    expect(byKey.fails).toMatchObject({ status: "failed", error: { message: "The command exited with code 3: *** failed" } });
    expect(byKey.finds?.output).toMatchObject({ stdout: expect.stringContaining("***") });
  });

  test.each([
    ["Postgres", () => dump()],
    ["Temporal's database", () => filesBelow(join(inject("folder"), "temporal"))],
    ["the run's folder", () => filesBelow(run.folder)],
    ["the event streams", async () => streamed],
    ["the logs", () => filesBelow(join(it.env.LONGHAUL_HOME ?? "", "logs"))],
    ["what the command line shows", async () => JSON.stringify(await it.run(["logs", run.id]))],
  ])("is nowhere in %s", async (_place, read) => {
    const text = await read();

    expect(text).toContain(MARKER);
    expect([TOKEN, PASSWORD, ...KEY.split("\n").slice(1, -1)].flatMap((secret) => formsIn(text, secret))).toEqual([]);
  });

  test("would be found if it were there", () => {
    for (const secret of [TOKEN, PASSWORD]) {
      const ways = [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(JSON.stringify(secret)),
        Buffer.from(`1${secret}`).toString("base64"),
      ];
      for (const way of ways) expect(formsIn(`before ${way} after`, secret)).not.toEqual([]);
    }
  });
});

test("a step that names a secret which is not set fails before it begins, and says what to do", async () => {
  it.define("missing", `await ctx.shell("touch began", { secrets: ["TOKEN", "NPM_TOKEN"], name: "publish" });`);
  const { id } = await runOf("missing");
  const ended = await it.run(["status", id, "--format", "json"]);

  expect(JSON.parse(ended.stdout)).toMatchObject({
    status: "failed",
    error: { type: "secret_missing", message: expect.stringContaining("longhaul secrets set NPM_TOKEN"), step_id: "publish" },
  });
});

test("without the project's consent, or the installation's, no agent may do anything unasked", async () => {
  await it.run(["projects", "set", ".", "allow_bypass=false"]);
  it.define("bold", `await ctx.agent("bold", { prompt: "SHOW IT", ${AGENT} });`);
  const { id } = await runOf("bold");

  const { error } = JSON.parse((await it.run(["status", id, "--format", "json"])).stdout);
  expect(error).toMatchObject({ type: "permission_not_allowed", message: expect.stringContaining("allow_bypass=true") });
});

function bash(command: string) {
  return { tool: "Bash", input: { command, description: "as the test says" } };
}

/** All that the agent has seen, as its answer. */
function spoken(results: { text: string }[]): string {
  return `${MARKER} ${results.map(({ text }) => text).join("\n")}`;
}

/** Run a workflow to its end, and follow its stream. */
async function runOf(name: string): Promise<{ id: string; folder: string }> {
  const { stdout, stderr } = await it.run(["run", name]);
  const id = stdout.trim();
  if (id === "") throw new Error(stderr);
  const stream = follow(`/api/runs/${id}/events`);
  await it.run(["watch", id]);
  streamed += await stream.end();
  return { id, folder: runFolder(realpathSync(it.project), id) };
}

/** An event stream as it comes over the wire. */
function follow(path: string): { end(): Promise<string> } {
  const stop = new AbortController();
  let text = "";
  const reading = (async () => {
    const headers = { Authorization: `Bearer ${it.stack.token}`, Accept: "text/event-stream" };
    const response = await fetch(`${it.stack.url}${path}`, { headers, signal: stop.signal });
    for await (const piece of response.body ?? []) text += Buffer.from(piece).toString();
  })().catch(() => {});
  return {
    async end() {
      stop.abort();
      await reading;
      return text;
    },
  };
}

/** All rows of all tables, as JSON. */
async function dump(): Promise<string> {
  const client = new pg.Client({ connectionString: it.env.DATABASE_URL });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('app', 'mirror')",
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select row_to_json(t)::text as row from ${name} t`);
      texts.push(...rows.map(({ row }) => row));
    }
    return texts.join("\n");
  } finally {
    await client.end();
  }
}

async function filesBelow(folder: string): Promise<string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")).join("\n");
}

/** The forms in which a secret stands in a text. Bytes that were read as Latin-1 are found, too. */
function formsIn(text: string, secret: string): string[] {
  const json = (plain: string) => JSON.stringify(plain).slice(1, -1);
  const base64 = ["", "1", "12"].map((before) => Buffer.from(`${before}${secret}`).toString("base64").slice(4, -4));
  const url = encodeURIComponent(secret);
  const forms = [
    secret,
    json(secret),
    json(json(secret)),
    url,
    url.toLowerCase(),
    String(new URLSearchParams({ "": secret })).slice(1),
    ...base64,
  ];
  const all = [...forms, ...forms.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"))];
  return all.filter((form) => text.includes(form) || text.includes(Buffer.from(form).toString("latin1")));
}
