import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { freePort } from "../../local/ports.js";
import { packageRoot } from "../../package-root.js";
import { type CliStack, cliStack } from "../../test/support/cli.js";

let it: CliStack;
let done: string;
let failed: string;
beforeAll(async () => {
  it = await cliStack();
  it.define(
    "good",
    `await ctx.shell("printf 'a\\\\nb'; echo warn >&2", { name: "say" }); ctx.log("logged"); await ctx.run("two", () => 2); return { n: 1 };`,
  );
  it.define("bad", `await ctx.shell("exit 9", { name: "break it", retry: false });`, `version: "1.2.0", description: "Breaks",`);
  done = JSON.parse((await it.run(["run", "good", "--watch", "--format", "json"])).stdout).id;
  failed = JSON.parse((await it.run(["run", "bad", "--watch", "--format", "json"])).stdout).id;
});

const json = async (...args: string[]) => JSON.parse((await it.run([...args, "--format", "json"])).stdout);

describe("list", () => {
  test("shows runs, the newest first, in lines of 80 columns", async () => {
    const { stdout, code } = await it.run(["list"]);

    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ID +STATUS +NAME +STEPS +TIME +STARTED$/);
    expect(lines[1]).toMatch(new RegExp(`^${failed} +failed +bad +1 +\\S+( \\d+s)? +\\d+[sm] ago$`));
    expect(lines[2]).toMatch(new RegExp(`^${done} +completed +good +2`));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(code).toBe(0);
  });

  test("gives as JSON what the API gives, by status, workflow and project", async () => {
    const answer = await it.client.get("/api/runs", z.array(z.json()));

    expect(await json("list")).toEqual(answer);
    expect(await json("list", "--status", "failed")).toMatchObject([{ id: failed }]);
    expect(await json("list", "--workflow", "good", "--project", ".")).toMatchObject([{ id: done }]);
    expect(await json("list", "--limit", "1")).toHaveLength(1);
  });

  test("says on stderr that there is nothing", async () => {
    expect(await it.run(["list", "--search", "nothing like this"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("no such runs"),
    });
  });

  test("cut off by its reader ends quietly", async () => {
    const { child, ended } = it.begin(["list"]);
    child.stdout?.destroy();

    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("status", () => {
  test("shows a run with its steps and its error", async () => {
    const { stdout } = await it.run(["status", failed]);

    expect(stdout).toMatch(new RegExp(`^failed {2}bad {2}${failed}\n`));
    expect(stdout).toMatch(/Error +.*9/);
    expect(stdout).toMatch(/^1 +break it +shell +failed +1 /m);
  });

  test("gives as JSON what the API gives, and `latest` is the run started last", async () => {
    expect(await json("status", "latest")).toMatchObject({
      id: failed,
      comments: [],
      artifacts: [],
      steps: [{ status: "failed" }],
    });
  });

  test("colours states only where colours are wanted", async () => {
    const without = (text: string) => text.replace(/\d+s ago/g, "<ago>");
    const coloured = await it.run(["status", failed], { env: { FORCE_COLOR: "1" } });
    const both = await it.run(["status", failed], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
    const piped = await it.run(["status", failed]);

    expect(coloured.stdout).toContain("\u001b[31mfailed\u001b[39m");
    expect(without(both.stdout)).toBe(without(piped.stdout));
    expect(piped.stdout).not.toContain("\u001b");
  });
});

describe("logs", () => {
  test("are printed by lines, in their order, each with its step", async () => {
    const { stdout } = await it.run(["logs", done]);

    const lines = stdout.trimEnd().split("\n");
    expect(lines.every((line) => /^\d\d:\d\d:\d\d (say|two|run) │ /.test(line))).toBe(true);
    const texts = lines.map((line) => line.slice(9));
    expect(texts).toEqual(expect.arrayContaining(["say │ a", "say │ b", "say │ warn", "run │ logged"]));
    expect(texts.indexOf("say │ a")).toBeLessThan(texts.indexOf("run │ logged"));
  });

  test("of one step, by key or number, from the end, as JSON a line", async () => {
    const { stdout } = await it.run(["logs", done, "--step", "say", "--format", "json"]);
    const pieces = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));

    expect(new Set(pieces.map(({ step_id }) => step_id))).toEqual(new Set([`${done}-1`]));
    expect((await it.run(["logs", done, "--step", "1", "--format", "json"])).stdout).toBe(stdout);
    const last = (await it.run(["logs", done, "--tail", "1", "--format", "json"])).stdout;
    expect(JSON.parse(last)).toMatchObject({ text: "logged", step_id: null });
  });

  test("followed, go on to the run's end with nothing twice", async () => {
    it.define(
      "chatty",
      `for (let i = 1; i <= 5; i++) await ctx.shell("for j in 1 2 3; do echo " + i + "-$j; sleep 0.1; done", { name: "talk" });`,
    );
    const { stdout: id } = await it.run(["run", "chatty"]);

    const { stdout, code } = await it.run(["logs", id.trim(), "--follow"]);

    expect([...stdout.matchAll(/\d-\d$/gm)].map(String)).toEqual(
      [1, 2, 3, 4, 5].flatMap((i) => [1, 2, 3].map((j) => `${i}-${j}`)),
    );
    expect(code).toBe(0);
  });

  test("of a step that is not there name those that are", async () => {
    expect(await it.run(["logs", done, "--step", "build"])).toMatchObject({
      code: 3,
      stderr: `The run ${done} has no step build. Its steps are say, two.\n`,
    });
  });
});

describe("checkpoints", () => {
  test("are listed, the latest first", async () => {
    const { stdout } = await it.run(["checkpoints", done]);

    expect(stdout).toMatch(/^ID +# +STEP +LABEL +CREATED +BY +SIZE\n\S+ +2 +two +.* ago +automatic +[\d.]+ KB\n\S+ +1 +say/);
    expect(await json("checkpoints", done, "--limit", "1")).toMatchObject([{ step_number: 2 }]);
  });
});

describe("checkpoint, compare and prune", () => {
  test("show, check and label one; put two runs beside each other; remove nothing unless it is said", async () => {
    const id = `${done}-k1`;
    await expect
      .poll(() => it.run(["checkpoint", "check", id]), { timeout: 20_000 })
      .toMatchObject({ code: 0, stdout: `✓ ${id}: its tree, its file and 1 results are there.\n` });
    await it.run(["checkpoint", "label", id, "as said"]);
    const { stdout: shown } = await it.run(["checkpoint", "show", id]);
    expect(shown).toMatch(/^Label +as said$/m);
    expect(shown).toMatch(/^Completed +say$/m);
    expect(shown).toMatch(/^Tree +[0-9a-f]{40} \(refs\/longhaul\//m);

    const { stdout } = await it.run(["compare", done, failed]);
    expect(stdout).toMatch(/^status +completed +failed$/m);
    expect(stdout).toContain("Steps: 0 the same, 0 different, 2 only in the first, 1 only in the second");
    expect(stdout).toContain(`Code: The run ${failed} has kept no tree`);

    const dry = await it.run(["prune", "--older-than", "0", "--kind", "checkpoints", "--run", done]);
    expect(dry.stdout).toMatch(new RegExp(`^checkpoints +${done} +good .* 2 +[\\d.]+ KB$`, "m"));
    expect(dry.stderr).toContain("longhaul prune --yes");
    expect(await json("checkpoints", done)).toHaveLength(2);
  });
});

describe("open", () => {
  test("prints an address that logs a browser in, and shows it the run", async () => {
    const { code, stdout } = await it.run(["open", done]);
    const login = await fetch(stdout.trim(), { redirect: "manual" });

    expect([code, login.status, login.headers.get("location")]).toEqual([0, 303, `/runs/${done}`]);
  });

  test("prints the run's address in Temporal, or where to set it", async () => {
    const { code, stderr } = await it.run(["open", done, "--temporal"]);

    expect(code).toBe(1);
    expect(stderr).toContain("LONGHAUL_TEMPORAL_UI_URL");
  });
});

describe("pause and resume", () => {
  test("hold a run at its next step and let it go on", async () => {
    const go = join(it.project, "..", "go");
    it.define("steps", `await ctx.shell("until [ -e ${go} ]; do sleep 0.1; done"); await ctx.shell("echo second");`);
    const id = (await it.run(["run", "steps"])).stdout.trim();

    const paused = { code: 0, stdout: `${id} paused\n`, stderr: expect.stringContaining(`resume ${id}`) };
    expect(await it.run(["pause", id])).toMatchObject(paused);
    writeFileSync(go, "");
    await expect.poll(() => json("status", id), { timeout: 20_000 }).toMatchObject({ steps: [{ status: "completed" }] });
    expect((await it.run(["watch", id, "--timeout", "1s"])).stdout).not.toContain("second");
    expect(await json("status", id)).toMatchObject({ status: "paused", _count: { steps: 1 } });
    expect(await it.run(["resume", id])).toMatchObject({ code: 0, stdout: `${id} running\n` });
    expect((await it.run(["watch", id])).stdout).toContain("second");
  });

  test("are refused in the API's own words when the run is over, with 1", async () => {
    expect(await it.run(["pause", done])).toEqual({ code: 1, stdout: "", stderr: "The run is completed already.\n" });
  });
});

describe("a person's hand", () => {
  test("skips and completes steps, and does the same to many runs once it is told to", async () => {
    it.define(
      "handy",
      `await ctx.shell("sleep 600", { name: "a" }); return (await ctx.shell("sleep 600", { name: "b" })).stdout;`,
    );
    const id = (await it.run(["run", "handy"])).stdout.trim();
    const running = (steps: object[]) => expect.poll(() => json("status", id), { timeout: 20_000 }).toMatchObject({ steps });

    await running([{ status: "running" }]);
    expect(await it.run(["step", "skip", id, "a", "--reason", "slow"])).toMatchObject({ code: 0, stdout: "a skipped\n" });
    await running([{ status: "skipped" }, { status: "running" }]);
    expect((await it.run(["step", "retry", id, "b"])).stderr).toContain("no further try");
    expect((await it.run(["bulk", "pause", "--workflow", "handy"])).stderr).toContain("pause fits 1 of 1 runs. --yes does it.");
    const done = await it.run(["bulk", "pause", "--workflow", "handy", "--mode", "now", "--yes"]);
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`${id} +running +done[^]*pause: 1 of 1 runs`)),
    });
    expect(await it.run(["step", "complete", id, "b", "--output", '"by hand"'])).toMatchObject({
      code: 0,
      stdout: "b completed\n",
    });
    await it.run(["resume", id]);
    expect(await json("watch", id)).toMatchObject({ status: "completed", output: "by hand" });
  });
});

describe("with no server, or not the right one,", () => {
  test("every command says how to start it, and ends with 4", async () => {
    const port = String(await freePort());

    const ended = await it.run(["list"], { env: { LONGHAUL_PORT: port } });

    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain(`Nothing answers at http://127.0.0.1:${port}. Start Longhaul with \`longhaul start\``);
  });

  test("a wrong token ends with 4, and says what to set", async () => {
    const ended = await it.run(["list"], { env: { LONGHAUL_TOKEN: "some-other-token-0123" } });

    expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining("LONGHAUL_TOKEN") });
  });

  test("a wrong setting is named, with 2", async () => {
    expect(await it.run(["list"], { env: { LONGHAUL_PORT: "eighty" } })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("LONGHAUL_PORT"),
    });
  });
});

describe("init", () => {
  test("makes a workflow that runs, and never writes over one", async () => {
    const folder = join(it.project, "..", "fresh");
    mkdirSync(folder);

    const first = await it.run(["init"], { cwd: folder });
    expect(first).toMatchObject({ code: 0, stdout: `${folder}/.agent/workflows/definitions/hello.ts\n` });
    expect(first.stderr).toContain("no git repository");
    expect((await it.run(["run", "hello", "--input", "who=Ada", "--watch"], { cwd: folder })).stdout).toContain("Hello, Ada");

    writeFileSync(join(folder, ".agent/workflows/definitions/hello.ts"), "mine");
    expect((await it.run(["init", "--format", "yaml"], { cwd: folder })).stderr).toContain(
      "hello.ts is there already, and stays",
    );
    expect(readdirSync(join(folder, ".agent/workflows/definitions"))).toEqual(["hello.ts"]);
  });

  test("makes one in YAML that editors know the schema of", async () => {
    const folder = join(it.project, "..", "declared");
    mkdirSync(folder);

    const { stdout } = await it.run(["init", "--format", "yaml"], { cwd: folder });

    const text = readFileSync(stdout.trim(), "utf8");
    const [, schema] = /^# yaml-language-server: \$schema=(.*phases\.schema\.json)\n/.exec(text) ?? [];
    expect(schema).toBe(join(packageRoot, "schemas/phases.schema.json"));
    expect(await it.run(["validate", stdout.trim()])).toMatchObject({ code: 0, stdout: "" });
    expect((await it.run(["run", "hello", "--input", "who=Ada", "--watch"], { cwd: folder })).stdout).toContain("Hello, Ada");
  });
});
