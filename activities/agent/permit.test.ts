import { mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Json } from "../../contract/json.js";
import type { DecidedPermit, PermitQuery } from "../../contract/permit.js";
import { testFolder } from "../../test/support/stack.js";
import { createPermit, type PermitGround, toldOf } from "./permit.js";
import { kindOf } from "./permit-rule.js";

const tree = mkdtempSync(join(testFolder(), "tree-"));
mkdirSync(join(tree, ".git"));
symlinkSync(tmpdir(), join(tree, "out"));

describe("a consent for the run", () => {
  test.each<[string, string, Json, Json]>([
    [
      "what a command begins with",
      "Bash",
      { command: "git tag one" },
      { command: "git tag 'two' -m \"three four\"", description: "x" },
    ],
    ["one script of a package", "Bash", { command: "npm run build" }, { command: "npm run build -- --watch" }],
    ["files of the tree", "Write", { file_path: join(tree, "a"), content: "1" }, { file_path: join(tree, "b/c"), content: "2" }],
    ["files of the tree by relative paths", "write_file", { path: "a" }, { path: "b" }],
    ["a host", "WebFetch", { url: "https://a.example/1", prompt: "p" }, { url: "https://a.example/2", prompt: "q" }],
    ["a tool", "mcp__tracker__close", { issue: 1 }, { issue: 2 }],
    [
      "the same line again, whatever the agent says of it",
      "Bash",
      { command: "make a | tee b", description: "1" },
      { command: "make a | tee b", timeout: 9 },
    ],
  ])("holds for %s", async (_, tool, asked, later) => {
    expect((await kindOf(tool, later, tree)).rule).toBe((await kindOf(tool, asked, tree)).rule);
  });

  test.each<[string, string, Json, Json]>([
    ["another command of the program", "Bash", { command: "git tag one" }, { command: "git push origin" }],
    ["another script", "Bash", { command: "npm run build" }, { command: "npm run deploy" }],
    ["a second command on the line", "Bash", { command: "git tag one" }, { command: "git tag two; rm -rf /" }],
    ["a command in its arguments", "Bash", { command: "git tag one" }, { command: "git tag $(curl evil.example)" }],
    ["a second line", "Bash", { command: "git tag one" }, { command: "git tag one\nrm -rf /" }],
    ["a program whose words are operands", "Bash", { command: "rm build" }, { command: "rm build /" }],
    ["an option before the command", "Bash", { command: "git -c alias.x=!sh x" }, { command: "git -c alias.x=!sh y" }],
    ["a file outside the tree", "Write", { file_path: join(tree, "a") }, { file_path: "/etc/passwd" }],
    ["a file on the way out of it", "Write", { file_path: join(tree, "a") }, { file_path: join(tree, "../a") }],
    ["a link that leads out of it", "Write", { file_path: join(tree, "a") }, { file_path: join(tree, "out/a") }],
    ["git's own files", "Write", { file_path: join(tree, "a") }, { file_path: join(tree, ".git/hooks/pre-commit") }],
    ["another host", "WebFetch", { url: "https://a.example/" }, { url: "https://a.example.evil.example/" }],
  ])("does not hold for %s", async (_, tool, asked, other) => {
    expect((await kindOf(tool, other, tree)).rule).not.toBe((await kindOf(tool, asked, tree)).rule);
  });
});

describe("a request", () => {
  const input = { command: "git push", description: "Publish" };

  test("halts the turn, is masked, and says what is allowed with it", async () => {
    const asked = await query({ command: "git push https://hunter2@a.example" });

    expect(asked).toMatchObject({
      tool: "Bash",
      input: { command: "git push https://***@a.example" },
      for_run: 'Bash of what begins with "git push"',
    });
    expect(JSON.stringify(asked)).not.toContain("hunter2");
  });

  test("is cut when it is long, and is still that very call", async () => {
    const [one, two] = [`true ${"x".repeat(9_000)}1`, `true ${"x".repeat(9_000)}2`];
    const asked = await query({ command: one });
    const permit = ground({ decided: [decided(asked, { allowed: true })] });

    expect(String(asked.input)).toMatch(/… \(\d+ characters\)$/);
    expect(await permit({ tool: "Bash", input: { command: two } })).toHaveProperty("halt");
    expect(await permit({ tool: "Bash", input: { command: one } })).toEqual({ allow: true });
  });

  test("that was allowed once is allowed once", async () => {
    const permit = ground({ decided: [decided(await query(input), { allowed: true })] });

    expect(await permit({ tool: "Bash", input: { ...input, description: "Push it" } })).toEqual({ allow: true });
    expect(await permit({ tool: "Bash", input })).toHaveProperty("halt");
  });

  test("that was refused stays refused, with the reason", async () => {
    const permit = ground({ decided: [decided(await query(input), { allowed: false, comment: "frozen" })] });

    expect(await permit({ tool: "Bash", input })).toEqual({ deny: expect.stringContaining("A person refused Bash: frozen") });
  });

  test("is allowed by what was allowed for the run, and not where nobody is asked", async () => {
    const { rule } = await query(input);

    expect(await ground({ granted: [rule] })({ tool: "Bash", input })).toEqual({ allow: true });
    expect(await ground({ granted: [rule], attended: false })({ tool: "Bash", input })).toHaveProperty("deny");
    expect(await ground({ granted: [rule], permission: "plan" })({ tool: "Bash", input })).toHaveProperty("deny");
  });
});

test("the agent is told what became of its request", async () => {
  const asked = await query({ command: "git push" });

  expect(toldOf(decided(asked, { allowed: true, scope: "run" }))).toMatch(
    /Bash \(git push\): it is allowed now\. So is Bash of what begins with/,
  );
  expect(toldOf(decided(asked, { allowed: false, by: null }))).toContain("Nobody has answered in time, so Bash is refused.");
  expect(toldOf(decided({ ...asked, question: {} }, { allowed: true, fields: { Database: "pg" } }))).toContain(
    '{"Database":"pg"}',
  );
});

function ground(more: Partial<PermitGround> = {}) {
  const mask = (text: string) => text.replaceAll("hunter2", "***");
  return createPermit({ permission: "default", attended: true, tree, who: "It", mask, ...more });
}

async function query(input: Json): Promise<PermitQuery> {
  const decided = await ground()({ tool: "Bash", input });
  if ("halt" in decided && decided.halt.why === "permission") return decided.halt.permit;
  throw new Error("Nobody was asked.");
}

function decided(permit: PermitQuery, how: Partial<DecidedPermit>): DecidedPermit {
  return { ...permit, allowed: false, scope: "once", by: "ada", at: "2026-01-01T00:00:00.000Z", ...how };
}
