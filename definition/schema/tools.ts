import { anyMap, flag, list, map, ref, type Schema, text, whole } from "./parts.js";
import { KINDS, stepDefinitions } from "./step.js";
import { schema, TOP_RULES, topProperties } from "./top.js";

const NAME = { pattern: "^[a-z][a-z0-9_]*$", maxLength: 100 };

const { timeout: _, ...top } = topProperties("tools");

/** Of definitions in the dialect tools. */
export const toolsSchema: Schema = schema("Longhaul: tools", "A workflow of tools' calls, one after the other.", {
  required: ["name", "steps"],
  properties: {
    ...top,
    name: text("What people type to start it.", { ...NAME, examples: ["issue_to_pr"] }),
    steps: list("What is done, in order.", ref("step"), { minItems: 1 }),
    config: map("For the run, and for the steps that do not say it themselves.", {
      timeoutMs: whole("Milliseconds that a run may run.", 1000, Number.MAX_SAFE_INTEGER, { default: 300_000 }),
      continueOnError: flag("A failed step is gone past.", false),
      maxRetries: whole("Tries after the first, of each step without `retry`.", 0, 9, { default: 0 }),
    }),
  },
  allOf: TOP_RULES,
  definitions: {
    ...stepDefinitions({
      reference: "\\$\\{[^}]*\\}",
      own: { name: text("The step's own name.", NAME), if: ref("condition") },
      required: ["name"],
      without: ["if"],
      otherWithout: ["retry"],
      tries: { most: 10, leastDelayMs: 100 },
      kinds: {
        tool: {
          ...KINDS.tool,
          properties: {
            tool: text("server.toolName", {
              pattern: "^[a-z][a-z0-9_-]*\\.[a-zA-Z][a-zA-Z0-9_-]*$",
              examples: ["github.getIssue"],
            }),
            params: anyMap("What the tool is given. A text that is one ${reference} as a whole keeps the type of what it finds."),
          },
        },
      },
    }),
    condition: {
      description: "Not met: the step is skipped. `${issue}`: there is something; `${issue.state == 'open'}`: an expression.",
      anyOf: [{ type: "boolean" }, { type: "string", pattern: "^\\$\\{[\\s\\S]*\\}$", maxLength: 2000 }],
    },
  },
});
