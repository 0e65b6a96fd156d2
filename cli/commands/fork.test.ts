import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";
import { testFolder } from "../../test/support/stack.js";

let it: CliStack;
let mended: string;
beforeAll(async () => {
  it = await cliStack();
  mended = join(testFolder(), "mended");
  it.define(
    "mended",
    `const { n } = await ctx.run("plan", () => ({ n: 1 }));
     await ctx.shell("test -e ${mended}", { name: "needs-it" });
     return { n, who: ctx.input.who };`,
    "input: z.object({ who: z.string() }),",
  );
});

describe("retry and fork", () => {
  test("go on from the step that failed, or from another one with what is given", async () => {
    const { stdout: first } = await it.run(["run", "mended", "--input", "who=Ada"]);
    const id = first.trim();
    expect((await it.run(["watch", id])).code).toBe(1);
    expect(existsSync(mended)).toBe(false);
    writeFileSync(mended, "");

    const again = await it.run(["retry", id, "--fork"]);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^run_\w+\n$/), stderr: expect.stringContaining(id) });
    expect((await it.run(["watch", again.stdout.trim()])).code).toBe(0);

    const same = await it.run(["retry", id]);
    expect(same).toMatchObject({ code: 0, stdout: `${id}\n`, stderr: expect.stringContaining("after step 1 (plan)") });
    expect((await it.run(["watch", id])).code).toBe(0);
    expect(await it.run(["restore", id, "--to", "plan"])).toMatchObject({ code: 0, stdout: `${id}\n` });
    expect((await it.run(["watch", id])).code).toBe(0);

    const tried = await it.run(["fork", id, "--from", "needs-it", "--dry-run"]);
    expect(tried).toMatchObject({ code: 0, stderr: expect.stringContaining("Nothing was started") });
    expect(tried.stdout).toMatch(/^ *1 +plan +reused$/m);

    const other = await it.run([
      "fork",
      id,
      "--from",
      "needs-it",
      "--output",
      'plan={"n": 7}',
      "--input",
      "who=Eve",
      "--format",
      "json",
    ]);
    const { id: forked, parent_run_id } = JSON.parse(other.stdout);
    expect(parent_run_id).toBe(id);
    await it.run(["watch", forked]);
    const { stdout } = await it.run(["status", forked, "--format", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ status: "completed", output: { n: 7, who: "Eve" } });
  });

  test("say what is wrong", async () => {
    const { stdout } = await it.run(["run", "mended", "--input", "who=Ada", "--watch", "--format", "json"]);
    const { id } = JSON.parse(stdout);

    expect(await it.run(["retry", id])).toMatchObject({ code: 1, stderr: expect.stringContaining("there is nothing to retry") });
    expect(await it.run(["restore", id, "--to", "nothing"])).toMatchObject({ code: 3 });
    expect(await it.run(["fork", id, "--from", "nothing"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("Its steps are plan, needs-it."),
    });
    expect(await it.run(["fork", id, "--from", "2", "--output", "plan"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--output plan has no step"),
    });
  });
});

describe("deploy", () => {
  test("says what a changed file means for runs, makes it the newest revision only if they fit, and is refused without a build", async () => {
    const file = it.define("stays", `await ctx.run("build", () => 1); await ctx.approve("go", { message: "Go on?" });`);
    const id = (await it.run(["run", "stays"])).stdout.trim();
    await expect.poll(async () => (await it.run(["status", id])).stdout, { timeout: 60_000 }).toContain("Go on?");
    const next = join(testFolder(), "next.ts");
    const source = readFileSync(file, "utf8");

    writeFileSync(next, source.replace('"build"', '"make"'));
    const refused = await it.run(["deploy", next]);
    writeFileSync(next, source.replace("Go on?", "Shall it go on?"));
    const taken = await it.run(["deploy", next]);
    const nowhere = await it.run(["deploy", "--against", testFolder()]);

    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("--force") });
    expect(refused.stdout).toMatch(
      new RegExp(`stays.ts:\\d+: ${id} .*step 1 "build" \\(function\\); it would begin step 1 "make"`),
    );
    expect(refused.stdout).toContain("1 open run stays on revision 1.");
    expect(taken).toMatchObject({ code: 0, stderr: expect.stringContaining("carry out revision 2") });
    expect(readFileSync(file, "utf8")).toContain("Shall it go on?");
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("is no Longhaul") });
  });
});
