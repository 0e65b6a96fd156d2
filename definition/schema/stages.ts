import { LEAST_MEMBERS, MOST_MEMBERS, PANEL_STRATEGIES } from "../../contract/panel.js";
import { PROVIDER_NAMES } from "../providers.js";
import { either, having, line, list, map, onlyOne, ref, refs, type Schema, text, whole, word } from "./parts.js";
import { AGENT, type Kind, stepDefinitions } from "./step.js";
import { KEY, schema, TOP_RULES, topProperties, URL_SAFE } from "./top.js";

const { $schema, dialect, ...top } = topProperties("stages");

const head: Schema = {
  ...top,
  on_failure: list("Steps that are done when the run has failed.", ref("step")),
  finally: list("Steps that are done whatever happens.", ref("step")),
  id: text("Safe in a URL, and the file's name: <id>.workflow.yml.", { pattern: URL_SAFE }),
  stages: list("The stages, in order.", text("A stage's name, such as plan, code, test or check.", { pattern: URL_SAFE }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
  }),
  loop: map(
    "How often the stages are done; left out: once.",
    {
      max_iters: whole("Passes in all, the first included.", 1, 1000),
      min_iters: whole("stop_when is not asked before this pass.", 1, 1000, { default: 1 }),
      fallback_next_stage: text("Where the next pass begins; left out: at the first stage."),
      stop_when: either(
        "Asked after each stage, with $ as its answer, such as `$.done`. Met: the run is completed.",
        { type: "boolean" },
        { type: "string", pattern: "\\S", maxLength: 2000 },
      ),
    },
    { required: ["max_iters"] },
  ),
};

const stageConfigs: Schema = {
  type: "object",
  description: "What each stage is, by its name. A stage that is not here is done with the defaults.",
  additionalProperties: ref("stage"),
};

const own: Schema = {
  name: line("How people see it; left out: its key."),
  mode: word("One agent does the stage, or what else it does.", ["sequential"], "sequential"),
  retries: whole("Tries after the first; left out: 2 with on_failure retry, else none.", 0, 10),
  retry_backoff: {
    type: "number",
    minimum: 0,
    maximum: 3600,
    default: 1,
    description: "Seconds before the second try, doubled from try to try.",
  },
};

const STRATEGY = word(
  "What becomes of their answers. all: each is needed; race: the first, and the others are stopped; majority: the one that more than half give.",
  PANEL_STRATEGIES,
  "all",
);

const NAMED = word("An agent.", PROVIDER_NAMES);
const BY_COMMAND = text("Any agent that speaks the Agent Client Protocol, by its command.", { pattern: "^acp:\\s*\\S" });

/** One of the agents that are asked at the same time. */
const MEMBER = map(
  "An agent, with what is said of it alone.",
  {
    name: text("By which its step and its answer are found; left out: as its provider is called, else its role.", KEY),
    provider: either("Who it is; left out: as its role's file says.", NAMED, BY_COMMAND),
    ...refs("role", "model"),
  },
  { anyOf: [having("provider"), having("role")] },
);

const { agent: _, provider: __, ...ofEach } = AGENT.properties;

/** A stage that several agents do. */
const PANEL: Kind = {
  title: "A stage of several agents",
  types: ["agent"],
  properties: {
    ...ofEach,
    permission: word("They share one tree, and only read.", ["plan"], "plan"),
    mode: word("Several agents are asked the same at the same time.", ["parallel"]),
    providers: list("The agents.", either("An agent.", NAMED, BY_COMMAND, MEMBER), {
      minItems: LEAST_MEMBERS,
      maxItems: MOST_MEMBERS,
    }),
    strategy: STRATEGY,
    parallel_strategy: STRATEGY,
    agree_on: either(
      "Fields of the answer by which a majority is found; left out: the whole answer.",
      text("A field.", KEY),
      list("Fields.", text("A field.", KEY), { minItems: 1 }),
    ),
  },
  required: ["mode", "providers"],
  allOf: onlyOne("strategy", "parallel_strategy"),
};

const words = { reference: "\\$\\{[^}]*\\}", otherWithout: ["retry"] };

const stageDefinitions = stepDefinitions({
  ...words,
  own,
  required: [],
  same: [
    ["retry", "retries"],
    ["retry", "retry_backoff"],
  ],
  kinds: { agent: { ...AGENT, title: "A stage of an agent", required: [] }, panel: PANEL },
});

/** Of definitions in the dialect stages. */
export const stagesSchema: Schema = schema("Longhaul: stages", "A workflow of stages that agents do, in a loop.", {
  properties: {
    $schema: $schema ?? {},
    dialect: dialect ?? {},
    workflow: map(
      "What is about the whole may stand in this block.",
      { ...head, stageConfigs },
      { required: ["name", "stages"], allOf: TOP_RULES },
    ),
    stageConfigs,
    ...head,
  },
  additionalProperties: ref("stage"),
  if: having("workflow"),
  else: having("name", "stages"),
  allOf: TOP_RULES,
  definitions: {
    ...stageDefinitions,
    stage: {
      description: "A stage, or the name of its profile.",
      anyOf: [stageDefinitions.step ?? {}, ref("profile")],
    },
    ...stepOnly(),
  },
});

/** Steps of `on_failure` and `finally`: they have keys. */
function stepOnly(): Schema {
  const { step, other } = stepDefinitions({ ...words, own: { key: text("The step's own key.", KEY) }, required: ["key"] });
  return { step: step ?? {}, other: other ?? {} };
}
