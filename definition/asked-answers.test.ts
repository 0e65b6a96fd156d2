import { expect, test } from "vitest";
import type { JsonObject } from "../contract/json.js";
import { planOf, stepOf } from "../test/support/definitions.js";

const dag = (steps: JsonObject[]) => planOf({ name: "w", version: "1.0.0", steps });
const agent = (key: string, prompt: string, more: JsonObject = {}) => ({ key, agent: "backend", prompt, ...more });
const after = (key: string, prompt: string) => agent(key, prompt, { dependencies: ["parse"] });
const schemaOf = (...steps: JsonObject[]) => stepOf(dag(steps), "parse").output_schema;

test("an agent is asked for what later steps name of its answer", () => {
  const schema = schemaOf(
    agent("parse", "Parse it."),
    after("scan", "Scan {{parse.functions}} and {{parse.result.files[0].path}}"),
    { key: "note", type: "shell", command: "echo {{parse.functions}}", dependencies: ["parse"] },
  );

  expect(schema).toEqual({ type: "object", required: ["functions", "files"], properties: { functions: {}, files: {} } });
});

test("also by the name under which it is found", () => {
  const schema = schemaOf(agent("parse", "Parse it.", { assign: "changes" }), after("scan", "Scan {{changes.functions}}"));

  expect(schema).toMatchObject({ required: ["functions"] });
});

test("what it gives anyway is not asked for", () => {
  const prompt = "{{parse}} {{parse.result}} {{parse.text}} {{parse.data}} {{parse.sessionId}} {{parse.filesChanged[0]}}";

  expect(schemaOf(agent("parse", "Parse it."), after("scan", prompt))).toBeUndefined();
});

test("nor is how its checks went, where it has any", () => {
  const scan = after("scan", "{{parse.verified[0].ok}}");

  expect(schemaOf(agent("parse", "Parse it.", { verify: [{ tree_changed: true }] }), scan)).toBeUndefined();
  expect(schemaOf(agent("parse", "Parse it."), scan)).toMatchObject({ required: ["verified"] });
});

test("what only a condition names may be absent", () => {
  const scan = { ...after("scan", "Scan."), if: "parse.functions" };

  expect(schemaOf(agent("parse", "Parse it."), scan)).toBeUndefined();
});

test("a schema of its own is left as it is", () => {
  const outputSchema = { type: "object", required: ["files"] };

  expect(schemaOf(agent("parse", "Parse it.", { outputSchema }), after("scan", "{{parse.functions}}"))).toEqual(outputSchema);
});

test("steps that no agent does are left as they are", () => {
  expect(schemaOf({ key: "parse", type: "shell", command: "true" }, after("scan", "{{parse.stdout}}"))).toBeUndefined();
});
