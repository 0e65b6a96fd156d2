import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";
import { makeRepository } from "../../test/support/repository.js";
import { testFolder } from "../../test/support/stack.js";

let it: CliStack;
beforeAll(async () => {
  it = await cliStack();
});

describe("run", () => {
  test("starts a workflow that was just saved, by its file, and prints nothing but the run's id", async () => {
    const file = it.define("greet", `return ctx.input;`);

    const { code, stdout, stderr } = await it.run(["run", file]);

    expect(stdout).toMatch(/^run_\w+\n$/);
    expect(stderr).toContain(`longhaul watch ${stdout.trim()}`);
    expect(code).toBe(0);
  });

  test("makes a project of a repository that was none", async () => {
    const other = await makeRepository(testFolder());
    mkdirSync(join(other, ".agent/workflows/definitions"), { recursive: true });
    writeFileSync(
      join(other, ".agent/workflows/definitions/first.ts"),
      `import { defineWorkflow } from "longhaul"; export default defineWorkflow({ name: "first", async execute() { return 1; } });`,
    );

    const { code, stdout } = await it.run(["run", "first", "--watch", "--format", "json"], { cwd: other });

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: "first", status: "completed", output: 1 });
  });

  test("watched, shows each step with its output, to the last line, and ends with 0", async () => {
    it.define("talk", `await ctx.shell("echo one; echo two", { name: "say" }); await ctx.comment("well said"); return "done";`);

    const { code, stdout, stderr } = await it.run(["run", "talk", "--watch"]);

    expect(stdout.replace(/\d+ms|\d+\.\ds/g, "<time>")).toBe("▶ say\n  │ one\n  │ two\n✔ say <time>\n  “ well said\n");
    expect(stderr).toMatch(/is completed after/);
    expect(code).toBe(0);
  });

  test("watched, ends with 1 when the run fails, and says why", async () => {
    it.define("breaks", `await ctx.shell("echo oh; exit 3", { name: "step", retry: false });`);

    const { code, stdout, stderr } = await it.run(["run", "breaks", "--watch"]);

    expect(stdout).toMatch(/^▶ step\n {2}│ oh\n✘ step/);
    expect(stderr).toMatch(/The run run_\w+ is failed after .*: .*3/);
    expect(code).toBe(1);
  });

  test("watched, ends with 5 when the run is cancelled", async () => {
    it.define("long", `await ctx.shell("sleep 60");`);
    const watching = it.begin(["run", "long", "--watch"]);
    await vi.waitFor(() => expect(watching.said.stdout).toContain("▶"), 20_000);
    const [, id = ""] = /Run (run_\w+) of long/.exec(watching.said.stderr) ?? [];

    expect(await it.run(["cancel", id, "--reason", "enough"])).toMatchObject({ code: 0, stdout: `${id} cancelled\n` });

    expect((await watching.ended).code).toBe(5);
  });

  test("left by Ctrl-C, goes on, and the way back is said", async () => {
    it.define("nap", `await ctx.shell("sleep 60");`);
    const watching = it.begin(["run", "nap", "--watch"]);
    await vi.waitFor(() => expect(watching.said.stdout).toContain("▶"), 20_000);

    watching.child.kill("SIGINT");

    const { code, stderr } = await watching.ended;
    const [, id = ""] = /longhaul watch (run_\w+)/.exec(stderr) ?? [];
    expect(code).toBe(130);
    expect(JSON.parse((await it.run(["status", id, "--format", "json"])).stdout)).toMatchObject({ status: "running" });
    await it.run(["cancel", id]);
  });

  test("watched for a limited time, ends with 124", async () => {
    it.define("slow", `await ctx.sleep("1 hour");`);

    const { code, stderr } = await it.run(["run", "slow", "--watch", "--timeout", "1s"]);

    expect(stderr).toMatch(/not over after 1.0s\. The run goes on/);
    expect(code).toBe(124);
    await it.run(["cancel", "latest"]);
  });

  test("takes input as JSON, from a file, and by keys, of the types that the workflow wants", async () => {
    const head = `input: z.object({ tag: z.string(), count: z.number(), on: z.boolean(), list: z.array(z.number()), more: z.string() }),`;
    it.define("inputs", `return ctx.input;`, head);
    writeFileSync(join(it.project, "input.json"), `{ "count": 1, "on": false, "more": "from the file" }`);
    const inputs = ["@input.json", `{"count": 2, "on": true}`, "tag=1.0", "list=[1,2]"].flatMap((one) => ["--input", one]);

    const { stdout } = await it.run(["run", "inputs", ...inputs, "--watch", "--format", "json"]);

    expect(JSON.parse(stdout).output).toEqual({ tag: "1.0", count: 2, on: true, list: [1, 2], more: "from the file" });
  });

  test("passes on who started it, its name, priority and context", async () => {
    it.define("about", `return 1;`);
    const options = ["--triggered-by", "ci", "--priority", "7", "--name", "Nightly", "--context", `{"a": 1}`];

    const { stdout } = await it.run(["run", "about", ...options, "--format", "json"]);

    expect(JSON.parse(stdout)).toMatchObject({ triggered_by: "ci", priority: 7, name: "Nightly", context: { a: 1 } });
  });

  test.each<[string, string[], number, RegExp]>([
    [
      "a workflow that is not there, with the one that was meant",
      ["run", "gret"],
      3,
      /no workflow gret\. Did you mean "greet"\?/,
    ],
    ["a file that is not there", ["run", "./none.ts"], 3, /no file \.\/none\.ts/],
    ["a file where no workflows are found", ["run", "./stray.ts"], 3, /stray\.ts is in .*\.agent\/workflows\/definitions/],
    ["input that does not fit", ["run", "inputs", "--input", "count=many"], 2, /does not fit[\s\S]*count/],
    ["input that is neither JSON nor a key", ["run", "greet", "--input", "{oops"], 2, /--input \{oops is not JSON/],
    ["a project that is not there", ["run", "greet", "--project", "nowhere"], 3, /no project nowhere\. There are: /],
    ["a time without a unit it knows", ["run", "greet", "--watch", "--timeout", "soon"], 2, /90s, 15m, 2h/],
    ["an option that is not there", ["run", "greet", "--wacth"], 2, /unknown option '--wacth'[\s\S]*--watch/],
    ["a command that is not there", ["rnu"], 2, /unknown command 'rnu'[\s\S]*run/],
  ])("refuses %s", async (_what, args, code, message) => {
    writeFileSync(join(it.project, "stray.ts"), "");
    const ended = await it.run(args);

    expect(ended.stderr).toMatch(message);
    expect(ended).toMatchObject({ code, stdout: "" });
  });

  test("says where a file is wrong that it should run", async () => {
    const file = it.define("wrong", `return (;`);

    const { code, stderr } = await it.run(["run", file]);

    expect(stderr).toMatch(/wrong\.ts:4:\d+: /);
    expect(code).toBe(2);
  });
});

describe("watch", () => {
  test("of a run that is over shows its steps, and ends as it did", async () => {
    it.define("over", `await ctx.run("a", () => 1); await ctx.run("b", () => { throw new Error("no"); }, { retry: false });`);
    await it.run(["run", "over", "--watch"]);

    const { code, stdout } = await it.run(["watch", "latest"]);

    expect(stdout.match(/[▶✔✘] \w/g)).toEqual(["▶ a", "✔ a", "▶ b", "✘ b"]);
    expect(code).toBe(1);
  });

  test("survives a restart of everything, and misses nothing of what is written meanwhile", async () => {
    it.define("counts", `for (let i = 1; i <= 12; i++) await ctx.shell("sleep 0.5; echo line " + i, { name: "count" });`);
    const watching = it.begin(["run", "counts", "--watch"]);
    await vi.waitFor(() => expect(watching.said.stdout).toContain("line 2"), 30_000);

    await it.restart();

    const { code, stdout, stderr } = await watching.ended;
    expect(stderr).toContain("The connection is lost");
    expect(stderr).toContain("Connected again");
    expect([...stdout.matchAll(/line (\d+)/g)].map(([, n]) => Number(n)).filter((n, i, all) => all.indexOf(n) === i)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    expect(code).toBe(0);
  }, 120_000);

  test("joined late, shows what the running step has written so far, once", async () => {
    const go = join(it.project, "..", "go");
    it.define("late", `await ctx.shell("echo early; until [ -e ${go} ]; do sleep 0.1; done; echo late", { name: "wait" });`);
    const { stdout: id } = await it.run(["run", "late"]);
    await vi.waitFor(async () => expect((await it.run(["logs", id.trim()])).stdout).toContain("early"), 20_000);
    const watching = it.begin(["watch", id.trim()]);
    await vi.waitFor(() => expect(watching.said.stdout).toContain("▶ wait"), 20_000);
    writeFileSync(go, "");

    const { stdout, code } = await watching.ended;
    expect(stdout).toMatch(/^▶ wait\n {2}│ early\n {2}│ late\n✔ wait/);
    expect(code).toBe(0);
  });

  test("of a run that is not there ends with 3", async () => {
    expect(await it.run(["watch", "run_none"])).toMatchObject({ code: 3, stderr: expect.stringContaining("no run run_none") });
  });
});
