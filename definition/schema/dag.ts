import { MAX_CONCURRENCY, MAX_TRIES } from "../limits.js";
import { duration, flag, line, list, map, ref, type Schema, text, whole } from "./parts.js";
import { AGENT, type Kind, stepDefinitions } from "./step.js";
import { KEY, schema, TOP_RULES, topProperties } from "./top.js";

const needs = list("Keys of the steps that must be over before it begins.", text("A step's key."));

/** A task that is said by `action` and `description` instead of a prompt. */
const TASK: Kind = {
  title: "A task in words",
  types: [],
  properties: Object.fromEntries([
    ...Object.entries(AGENT.properties).filter(([key]) => key !== "prompt"),
    ["action", text("What is to be done; `description` says more.")],
  ]),
  required: ["action"],
};

/** Of definitions in the dialect dag. */
export const dagSchema: Schema = schema("Longhaul: dag", "A workflow of steps that depend on one another, done level by level.", {
  required: ["name", "steps"],
  properties: {
    ...topProperties("dag"),
    steps: list("What is done.", ref("step"), { minItems: 1 }),
    config: map("For the run, and for the steps that do not say it themselves.", {
      timeout: duration("Of a run; 0: none.", { least: 1000, zero: true }),
      maxRetries: whole("Tries after the first, of each step that does not say it itself.", 0, MAX_TRIES - 1, { default: 0 }),
      checkpointInterval: duration("At least this often a run leaves a checkpoint; default 60000.", { least: 1000 }),
      parallelism: whole("Steps at once.", 1, MAX_CONCURRENCY, { default: 5 }),
      continueOnError: flag("A failed step is gone past.", false),
    }),
  },
  allOf: TOP_RULES,
  definitions: stepDefinitions({
    reference: "\\{\\{[^}]*\\}\\}",
    own: {
      key: text("The step's own key.", KEY),
      name: line("How people see it; left out: its key."),
      dependencies: needs,
      dependsOn: needs,
      parallel: flag("false: it runs beside no other step of its level.", true),
      continueOnError: flag("Its failure is gone past."),
      retryPolicy: ref("retry"),
      retries: whole("Tries after the first.", 0, MAX_TRIES - 1),
      // 0.5 is rounded to the least there is.
      timeoutMs: duration("Of one try.", { least: 0.5 }),
    },
    required: ["key"],
    otherWithout: ["retry", "timeout"],
    same: [
      ["dependencies", "dependsOn"],
      ["retryPolicy", "retry", "retries"],
      ["timeoutMs", "timeout"],
    ],
    kinds: { task: TASK },
  }),
});
