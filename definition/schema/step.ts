import { Permission } from "../../contract/plan.js";
import { MAX_CONCURRENCY, MAX_TRIES } from "../limits.js";
import { APPROVAL } from "./approval.js";
import {
  anyMap,
  BUDGET,
  duration,
  either,
  flag,
  line,
  list,
  map,
  onlyOne,
  ref,
  refs,
  type Schema,
  text,
  whole,
  word,
} from "./parts.js";
import { KEY, URL_SAFE } from "./top.js";

/** How the common parts of steps are said in a dialect. */
export interface StepWords {
  /** A whole reference, as a regular expression: `\$\{[^}]*\}`. */
  reference: string;
  /** Keys that each step of the dialect has besides the common ones. */
  own: Schema;
  /** Which of them must be there. */
  required: string[];
  /** Common keys that `own` says in other words. */
  without?: readonly string[];
  /** Common keys that what follows `else` has not: it does as its step does. */
  otherWithout?: readonly string[];
  /** Limits of `retry`. @default as many tries as there may be, no least delay */
  tries?: { most: number; leastDelayMs: number };
  /** Of keys that say the same. */
  same?: readonly (readonly string[])[];
  /** Kinds of which the dialect has a shape of its own, and those that it has besides. */
  kinds?: Readonly<Record<string, Kind>>;
}

/** What one kind of step has. */
export interface Kind {
  title: string;
  types: readonly string[];
  properties: Schema;
  required: string[];
  allOf?: Schema[];
}

const COMMON = ["if", "for_each", "concurrency", "retry", "timeout", "idle_timeout", "on_failure", "optional", "output_schema"];
const SHOWN = ["outputSchema", "assign", "phase", "summary", "description"];

export const AGENT: Kind = {
  title: "A task for a coding agent",
  types: ["agent"],
  properties: refs(
    "prompt",
    "agent",
    "provider",
    "role",
    "profile",
    "skills",
    "mcp_servers",
    "system_prompt",
    "model",
    "permission",
    "max_turns",
    "secrets",
    "ask",
    "budget",
    "verify",
  ),
  required: ["prompt"],
};

export const KINDS = {
  tool: {
    title: "A tool's call",
    types: ["tool"],
    properties: { tool: ref("tool"), params: { description: "What the tool is given; references may stand in its texts." } },
    required: ["tool"],
  },
  activity: {
    title: "A function of yours",
    types: ["activity"],
    properties: {
      activity: text("The function's name, as the file that `activities` names exports it.", {
        pattern: "^[\\p{L}_$][\\p{L}\\p{N}_$]*$",
        maxLength: 100,
      }),
      params: { description: "What the function is given; references may stand in its texts." },
    },
    required: ["activity"],
  },
  shell: {
    title: "A shell command",
    types: ["script", "shell"],
    properties: {
      command: text("Given to bash in the run's tree. References reach it as environment variables, never as source text."),
      cwd: text("Where it runs, relative to the run's tree and inside it."),
      env: anyMap("Environment variables.", {
        propertyNames: { pattern: "^[A-Za-z_][A-Za-z0-9_]*$" },
        additionalProperties: either("Its value.", { type: "string" }, { type: "number" }, { type: "boolean" }),
      }),
      allow_failure: flag("Another exit code than 0 is no failure.", false),
      secrets: ref("secrets"),
    },
    required: ["command"],
  },
  agent: AGENT,
  approval: APPROVAL,
  sleep: {
    title: "A rest",
    types: ["sleep"],
    properties: { duration: { description: 'How long: milliseconds, a text such as "2 hours", or a reference.' } },
    required: ["duration"],
  },
  wait: {
    title: "Waiting for an event",
    types: ["wait"],
    properties: {
      event: text("The event's name.", { maxLength: 200 }),
      deadline: duration("How long to wait; left out: for ever.", { least: 1000 }),
    },
    required: ["event"],
  },
  workflow: {
    title: "Another workflow",
    types: ["workflow"],
    properties: {
      workflow: text("Its name.", { maxLength: 200 }),
      input: { description: "Its input; references may stand in its texts." },
    },
    required: ["workflow"],
  },
} satisfies Record<string, Kind>;

const CHECKS = [
  map(
    "A change.",
    { tree_changed: { type: "boolean", const: true, description: "A file differs from before, or a commit was made." } },
    { required: ["tree_changed"] },
  ),
  map(
    "A file.",
    { file_exists: text("Its path, relative to the run's tree; references may stand in it.") },
    { required: ["file_exists"] },
  ),
  map(
    "A command.",
    {
      command: text("Given to bash in the run's tree; it must exit with 0. References reach it as environment variables."),
      timeout: duration("How long it may take; default 10 minutes.", { least: 1000 }),
    },
    { required: ["command"] },
  ),
  map(
    "A push.",
    {
      branch_pushed: either(
        "The branch that origin has at the tree's HEAD; true: the one that is checked out.",
        { type: "boolean", const: true },
        { type: "string", pattern: "\\S", maxLength: 200 },
      ),
    },
    { required: ["branch_pushed"] },
  ),
];

/** The definitions that steps of a dialect consist of; `step` is one of them, `other` what follows `else`. */
export function stepDefinitions(words: StepWords): Schema {
  const kinds: Kind[] = Object.values({ ...KINDS, ...words.kinds });
  return {
    step: { description: "A step.", anyOf: kinds.map((kind) => shapeOf(kind, words, true)) },
    other: {
      description: "A step without a key, done when the condition is not met.",
      anyOf: Object.values(KINDS).map((kind) => shapeOf(kind, words, false)),
    },
    ...partsOf(words),
  };
}

function shapeOf(kind: Kind, words: StepWords, isWhole: boolean): Schema {
  const { own, required, without = [], otherWithout = [], same = [] } = words;
  const less = isWhole ? without : [...otherWithout, "if"];
  const common = refs(...[...COMMON, ...SHOWN].filter((key) => !less.includes(key)));
  const type = kind.types.length > 0 && { type: word("What kind of step it is.", kind.types) };
  const properties = { ...(isWhole && { ...own, else: ref("other") }), ...type, ...common, ...kind.properties };
  return map(kind.title, properties, {
    title: kind.title,
    required: [...(isWhole ? required : []), ...kind.required],
    dependencies: { concurrency: ["for_each"], ...(isWhole && { else: ["if"] }) },
    allOf: [
      ...onlyOne("output_schema", "outputSchema"),
      ...onlyOne("summary", "description"),
      ...(isWhole ? same.flatMap((keys) => onlyOne(...keys)) : []),
      ...(kind.allOf ?? []),
    ],
  });
}

function partsOf({ reference, tries }: StepWords): Schema {
  return {
    if: either("Not met: the step is skipped.", { type: "boolean" }, { type: "string", pattern: "\\S", maxLength: 2000 }),
    for_each: either(
      "Done once for each item of this list; each sees `item` and `index`.",
      { type: "array" },
      { type: "string", pattern: `^\\s*${reference}\\s*$` },
    ),
    concurrency: whole("Items at once.", 1, MAX_CONCURRENCY, { default: 1 }),
    retry: either(
      "How it is tried again; left out: only when its worker was lost. true: three tries. false: never.",
      { type: "boolean" },
      retryMap(tries),
    ),
    timeout: duration("Of one try.", { least: 1000 }),
    idle_timeout: duration("Of one try without output.", { least: 1000 }),
    on_failure: word("What follows when its last try has failed.", ["stop", "continue", "retry"], "stop"),
    optional: flag("Its failure is gone past, and its output is absent.", false),
    output_schema: anyMap("JSON schema that its output must fit."),
    outputSchema: anyMap("JSON schema that its output must fit."),
    assign: text("The name under which its output is found besides its key.", KEY),
    phase: line("The phase of the run that it belongs to."),
    summary: text("Shown beside the step; references may stand in it.", { maxLength: 200 }),
    description: text("Shown beside the step."),
    prompt: text("What the agent is asked; references may stand in it."),
    agent: text(
      "Who does it: claude, codex, gemini, grok, acp:<command>, the role of a specialist whom the agent is to be, or a reference that chooses the agent.",
      { maxLength: 200 },
    ),
    provider: either(
      "Who does it; left out: as the role's file says, else claude.",
      word("An agent.", ["claude", "claude-code", "codex", "gemini", "grok"]),
      text("Any agent that speaks the Agent Client Protocol, by its command.", { pattern: "^acp:\\s*\\S" }),
      {
        type: "string",
        pattern: reference,
        maxLength: 200,
      },
    ),
    role: text("Whom the agent is to be, such as reviewer: .agent/agents/reviewer.md, where there is such a file.", {
      maxLength: 200,
    }),
    profile: either(
      "A file of .agent/profiles, by its name, or a reference that chooses it. default: none.",
      { type: "string", pattern: URL_SAFE },
      { type: "string", pattern: reference, maxLength: 200 },
    ),
    skills: list("Folders of .agent/skills; left out: those that the profile names, else the role.", {
      type: "string",
      pattern: URL_SAFE,
    }),
    mcp_servers: list("Servers of .agent/mcp.json whose tools the agent is given.", {
      type: "string",
      pattern: "^[A-Za-z][\\w-]*$",
      maxLength: 100,
    }),
    system_prompt: text("Added to the agent's own system prompt."),
    model: text("The model it uses.", { maxLength: 200 }),
    permission: word("What it may do without asking.", Permission.options),
    max_turns: { type: "integer", minimum: 1, description: "How often the model may answer." },
    secrets: list(
      "Names of the project's secrets, which its processes find in their environment.",
      { type: "string", pattern: "^(?!LONGHAUL_)[A-Z_][A-Z0-9_]{0,127}$" },
      { minItems: 1, maxItems: 100 },
    ),
    ask: either(
      "How a person is asked for what the permission does not cover; false: nobody is, it is refused.",
      { const: false },
      map("Left out: without a deadline.", {
        deadline: duration("How long each answer may take.", { least: 1000 }),
        default: word(
          "What counts when nobody has answered by then; allow needs LONGHAUL_ALLOW_BYPASS.",
          ["allow", "deny"],
          "deny",
        ),
      }),
    ),
    budget: BUDGET,
    verify: list(
      "What must be so after its turn. Longhaul looks at each; when one is not so, the step fails as agent_unverified.",
      ref("check"),
      { minItems: 1 },
    ),
    check: either("What must be so.", ...CHECKS),
    tool: text("server.tool", { pattern: "^[A-Za-z][\\w-]*\\.[\\w./-]+$", maxLength: 200 }),
  };
}

/** A retry in any of the words for it. */
function retryMap(
  { most: mostTries, leastDelayMs }: NonNullable<StepWords["tries"]> = { most: MAX_TRIES, leastDelayMs: 0 },
): Schema {
  const tries = whole("Tries in all, the first included.", 1, mostTries, { default: 3 });
  const more = whole("Tries after the first.", 0, mostTries - 1);
  const delay = duration("Before the second try; default 1000.", { least: leastDelayMs });
  const most = duration("The longest delay; default 60000.");
  const factor = { type: "number", minimum: 1, maximum: 100, default: 2, description: "Of exponential backoff." };
  return map(
    "A policy.",
    {
      maxAttempts: tries,
      maxRetries: more,
      retries: more,
      backoff: word("How delays grow.", ["fixed", "linear", "exponential"], "exponential"),
      initialDelayMs: delay,
      retryDelayMs: delay,
      delay,
      maxDelayMs: most,
      maxDelay: most,
      multiplier: factor,
      retryBackoffMultiplier: factor,
      retryableErrors: list("Error types that are tried again; left out: all.", text("An error type.")),
    },
    {
      allOf: [
        ...onlyOne("maxAttempts", "maxRetries", "retries"),
        ...onlyOne("initialDelayMs", "retryDelayMs", "delay"),
        ...onlyOne("maxDelayMs", "maxDelay"),
        ...onlyOne("multiplier", "retryBackoffMultiplier"),
      ],
    },
  );
}
