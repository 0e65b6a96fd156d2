import { describe, expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import { read } from "./read.js";
import { toolCallsIn } from "./tool-calls.js";
import { toolProblems } from "./tool-problems.js";

const number = {
  anyOf: [
    { type: "integer", minimum: 1 },
    { type: "string", pattern: "^[1-9]\\d*$" },
  ],
};
const schema: JsonObject = {
  type: "object",
  properties: {
    owner: { type: "string", minLength: 1 },
    number,
    labels: { type: "array", items: { enum: ["bug", "ui"] } },
    at: { type: "object", properties: { line: { type: "integer" } }, required: ["line"] },
  },
  required: ["owner", "number"],
  additionalProperties: false,
};
const servers = [
  { name: "github", tools: [{ name: "getIssue", inputSchema: schema }] },
  { name: "odd", tools: [{ name: "call", inputSchema: { type: "no type" } }] },
  { name: "away" },
  { name: "agent", builtIn: true, tools: [] },
];

/** What is wrong with a step's call: `line:column message`. */
function problemsOf(tool: string, params: JsonObject = {}): string[] {
  const text = JSON.stringify({ name: "w", steps: [{ name: "a", tool, params }] });
  return told(text, "w.json");
}

function told(text: string, file: string): string[] {
  const result = read(text, file);
  if (!result.ok) throw new Error("It cannot be read.");
  return toolProblems(toolCallsIn(result.root), servers).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe("calls of tools", () => {
  test("that fit have no problems", () => {
    expect(problemsOf("github.getIssue", { owner: "ada", number: 7, labels: ["bug"], at: { line: 1 } })).toEqual([]);
  });

  test.each<[string, string, JsonObject, RegExp]>([
    [
      "an unknown server",
      "githb.getIssue",
      {},
      /There is no tool server "githb"\. Did you mean "github"\? There are github, odd, away, agent\./,
    ],
    ["an unknown tool", "github.getIsue", {}, /The server "github" has no tool "getIsue"\. Did you mean "getIssue"\?/],
    ["a param that is missing", "github.getIssue", { number: 1 }, /github\.getIssue needs "owner"\./],
    [
      "one that is not known",
      "github.getIssue",
      { owner: "a", number: 1, label: [] },
      /takes no "label"\. Did you mean "labels"\?/,
    ],
    ["one of another type", "github.getIssue", { owner: 1, number: 1 }, /"owner" of github\.getIssue must be string\./],
    [
      "one that is none of what may be",
      "github.getIssue",
      { owner: "a", number: 0 },
      /"number" of github\.getIssue is nothing that fits\./,
    ],
    [
      "one within a list",
      "github.getIssue",
      { owner: "a", number: 1, labels: ["x"] },
      /"labels\.0" of github\.getIssue must be one of "bug", "ui"\./,
    ],
    ["one that lacks a part", "github.getIssue", { owner: "a", number: 1, at: {} }, /"at" of github\.getIssue needs "line"\./],
  ])("are told of %s", (_what, tool, params, message) => {
    expect(problemsOf(tool, params)).toEqual([expect.stringMatching(message)]);
  });

  test("say where it is, in YAML as well", () => {
    const text = `
name: w
steps:
  - id: a
    type: tool
    tool: github.getIssue
    params:
      owner: ada
      number: 1
      color: red
    else: { type: tool, tool: github.getIsue }
finally:
  - { id: b, type: tool, tool: github.getIssue, params: { owner: ada } }
`;
    expect(told(text, "w.yaml")).toEqual([
      expect.stringMatching(/^10:7 .*takes no "color"/),
      expect.stringMatching(/^11:31 .*no tool "getIsue"/),
      expect.stringMatching(/^13:57 .*needs "number"/),
    ]);
  });

  test("leave references to the call", () => {
    const params = { owner: "${repo.owner}", number: "${input.n}", labels: ["${a}", "bug"], at: "${input.at}" };

    expect(problemsOf("github.getIssue", params)).toEqual([]);
    expect(problemsOf("github.getIssue", { owner: "{{ args.owner }}", color: "${x}" })).toEqual([
      expect.stringContaining('needs "number"'),
      expect.stringContaining('takes no "color"'),
    ]);
  });

  test("are left alone where the server could not be asked, or its schema cannot be read", () => {
    expect(problemsOf("away.anything", { x: 1 })).toEqual([]);
    expect(problemsOf("odd.call", { x: 1 })).toEqual([]);
  });

  test("are no calls within what a step is given", () => {
    expect(problemsOf("away.anything", { tool: "github.nothing", steps: [{ tool: "none.at-all" }] })).toEqual([]);
  });
});

describe("servers that an agent is given", () => {
  const agents = (...names: string[]) =>
    told(JSON.stringify({ name: "w", steps: [{ id: "a", prompt: "p", mcp_servers: names }] }), "w.json");

  test("are those of the project", () => {
    expect(agents("github", "away")).toEqual([]);
  });

  test("that nobody has are told with the nearest name", () => {
    expect(agents("githb")).toEqual([
      expect.stringMatching(/^1:\d+ \.agent\/mcp\.json has no server "githb" for an agent\. Did you mean "github"\?/),
    ]);
  });

  test("are none that are built in", () => {
    expect(agents("agent")).toHaveLength(1);
  });
});
