import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { packageRoot } from "../package-root.js";
import { testFolder } from "../test/support/stack.js";
import { EVERYTHING, servers } from "../test/support/tool-project.js";
import { checkTools } from "./check-tools.js";

let project: string;
beforeEach(() => {
  project = testFolder();
});

const stdio = (file: string, ...args: string[]) => ({ command: process.execPath, args: [file, ...args] });

function configure(mcpServers: object): void {
  write(".agent/mcp.json", JSON.stringify({ mcpServers }));
}

function write(name: string, text: string): string {
  const path = join(project, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe("the tools of definitions", { timeout: 60_000 }, () => {
  test("are checked by what real servers offer, each asked once and ended", async () => {
    configure({ everything: stdio(EVERYTHING, "stdio") });
    const right = write(
      "right.json",
      JSON.stringify({ name: "right", steps: [{ name: "add", tool: "everything.echo", params: { message: "${input.x}" } }] }),
    );
    const wrong = write(
      "wrong.yaml",
      `name: wrong
steps:
  - { id: sum, type: tool, tool: everything.get-sum, params: { a: one, b: 2 } }
  - { id: say, type: tool, tool: everything.ecko, params: { message: hello } }
  - { id: ask, type: tool, tool: github.getIssue, params: { owner: ada, repo: engine } }
`,
    );

    const { problems, warnings } = await checkTools([right, wrong], project, project);

    expect(problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)).toEqual([
      'wrong.yaml:3:67: "a" of everything.get-sum must be number.',
      'wrong.yaml:4:34: The server "everything" has no tool "ecko". Did you mean "echo"?',
      'wrong.yaml:5:59: github.getIssue needs "number".',
    ]);
    expect(warnings).toEqual([]);
    expect(servers()).toEqual([]);
  });

  test("of the shipped examples fit the servers that ship with them", async () => {
    const server = (name: string) => stdio(join(packageRoot, "examples/servers", name, "server.mjs"), project);
    configure({ deploy: server("deploy"), observability: server("observability") });
    const names = [
      "ci_failure_handler",
      "dependency_update",
      "fix_deploy_failure",
      "issue_to_pr",
      "issue_triage",
      "pr_review_workflow",
    ];
    const files = names.map((name) => join(packageRoot, "examples/tools", `${name}.json`));

    expect(await checkTools(files, project, project)).toEqual({ problems: [], warnings: [] });
  });

  test("are not checked where a server cannot be reached, which is said", async () => {
    configure({ away: { command: "no-such-program" }, unused: { command: "no-such-program" } });
    const file = write("a.json", JSON.stringify({ name: "a", steps: [{ name: "a", tool: "away.go", params: {} }] }));

    const { problems, warnings } = await checkTools([file], project, project);

    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^The calls of the tool server "away" were not checked\. .*no-such-program.*\.agent\/mcp\.json/),
    ]);
  });

  test("cannot be checked by a file of servers that is wrong", async () => {
    write(".agent/mcp.json", "{");
    const file = write("a.json", JSON.stringify({ name: "a", steps: [{ name: "a", tool: "away.go", params: {} }] }));

    expect((await checkTools([file], project, project)).problems).toMatchObject([
      { file: ".agent/mcp.json", message: expect.stringContaining("It is no JSON") },
    ]);
  });
});
