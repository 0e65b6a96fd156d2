import { expect, test } from "vitest";
import { EVERYTHING, servers, ToolProject } from "../../test/support/tool-project.js";
import { githubServer } from "./github/index.js";
import { listTools } from "./list-tools.js";

test("the tools of a project are listed by server, and what is wrong with one is said beside it", {
  timeout: 30_000,
}, async () => {
  const project = new ToolProject();
  project.configure({
    everything: { command: process.execPath, args: [EVERYTHING, "stdio"] },
    missing: { command: "no-such-program" },
    wrong: { args: [] },
  });
  const builtIn = new Map([["github", () => githubServer({ apiUrl: "http://127.0.0.1:1", token: undefined })]]);

  const listed = await listTools({ project_path: project.path, workspace_path: project.path }, { builtIn, graceMs: 300 });

  expect(listed.map(({ name, builtIn, problem }) => [name, builtIn, problem?.type])).toEqual([
    ["everything", false, undefined],
    ["missing", false, "tool_server_failed"],
    ["wrong", false, "tool_config_invalid"],
    ["github", true, undefined],
  ]);
  const tools = Object.fromEntries(listed.flatMap(({ name, tools = [] }) => tools.map((tool) => [`${name}.${tool.name}`, tool])));
  expect(tools["everything.get-sum"]?.inputSchema).toMatchObject({ required: ["a", "b"] });
  expect(tools["github.getIssue"]?.inputSchema).toMatchObject({
    required: ["owner", "repo", "number"],
    additionalProperties: false,
  });
  expect(servers()).toEqual([]);
  await project.stop();
});
