import type { JsonObject } from "../contract/json.js";
import type { Condition, Value } from "../contract/plan.js";

/** What a default prompt is made for. */
export interface PromptFor {
  key: string;
  role: string | undefined;
  /** All stages, in order. */
  stages: readonly string[];
  /** Said when the stage is the last of a loop: what is looked at in its answer, in the author's words. */
  stopWhen: string | undefined;
}

/** What a stage of a well-known name is asked for. */
const TASKS = new Map([
  ["analyze", "Find out what the task asks for, which parts of the code it concerns, and what is unclear. Change no files."],
  [
    "plan",
    "Work out a plan for the task: what is to be changed, where, in which order, and how it will be tested. Change no files.",
  ],
  ["code", "Do the task: make the changes that it and the results so far ask for."],
  ["test", "Test what was changed: run the project's tests, add those that are missing, and say what fails and why."],
  ["review", "Review the changes as a critical colleague: what is wrong, risky, unclear or missing? Change no files."],
  [
    "check",
    "Check whether the task is done: compare what it asks for with what was changed and what the tests say. Change no files.",
  ],
]);

/** The prompt of a stage that has none: its task by its name, the run's input, the results so far. */
export function defaultPrompt({ key, role, stages, stopWhen }: PromptFor): Value {
  const who = role === undefined ? "You do" : `As ${role} you do`;
  const begin = `${who} the stage "${key}" of this delivery (${stages.join(", ")}).\n${TASKS.get(key) ?? `Do what "${key}" says, for the task below.`}`;
  const answer = stopWhen === undefined ? "" : `\n\n${answerText(stages, stopWhen)}`;
  return {
    text: [
      `${begin}\n\nThe task, as JSON:\n`,
      ["input"],
      "\n\nThe results of the stages so far, as JSON:\n",
      ["steps"],
      ...(answer ? [answer] : []),
    ],
  };
}

/** The schema of the answer that a default prompt asks for, where the condition only looks at one field, such as `$.done`. */
export function defaultAnswer(stages: readonly string[], stopWhen: Condition): JsonObject | undefined {
  const field = fieldOf(stopWhen);
  if (field === undefined) return undefined;
  return {
    type: "object",
    required: [field],
    properties: {
      [field]: { type: "boolean", description: "whether the task is done and nothing is left to do" },
      recommended_next_stage: { enum: [...stages, null], description: "where to go on when it is not done" },
      summary: { type: "string", description: "what was found, for the stages of the next pass" },
    },
  };
}

function answerText(stages: readonly string[], stopWhen: string): string {
  return [
    `Answer with a JSON object. The run ends when it meets \`${stopWhen}\` ($ is your answer): let it do so only when nothing is left to do.`,
    `Else name in "recommended_next_stage" where to go on (${stages.join(", ")}), and in "summary" what is to be done there.`,
  ].join("\n");
}

/** The one field of the answer that decides: of `$.done` and `$.done == true`. */
function fieldOf(condition: Condition): string | undefined {
  if ("truthy" in condition) {
    const [root, field, ...deeper] = condition.truthy;
    return root === "item" && typeof field === "string" && deeper.length === 0 ? field : undefined;
  }
  return "cel" in condition ? /^item\.([A-Za-z_]\w*) == true$/.exec(condition.cel)?.[1] : undefined;
}
