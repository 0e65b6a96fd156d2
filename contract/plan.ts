import { z } from "zod";
import { type AgentName, isAgentName } from "./agent-provider.js";
import { LEAST_REMIND_MS, Quorum } from "./approval.js";
import { Budget } from "./budget.js";
import { Json, JsonObject } from "./json.js";
import { LEAST_MEMBERS, MOST_MEMBERS, PANEL_STRATEGIES } from "./panel.js";
import { SecretNames } from "./secret.js";

/**
 * A place where a value is looked up: a root, then own properties or indexes. Roots: `input` (the run's), `context` (the
 * run's, with its input over it), `steps` (a step's output, by key), `vars` (what steps have assigned), `run` (`id`, `name`,
 * `iteration`, and `error` with `type`, `message` and `step_id` once it has failed), `item` and `index` (of a for-each), and `name`: a bare name, searched for in the order of `Plan.names`.
 */
export const Ref = z.tuple(
  [z.enum(["input", "context", "steps", "vars", "run", "item", "index", "name"])],
  z.union([z.string(), z.int()]),
);
export type Ref = z.infer<typeof Ref>;

/**
 * A value with references in it, to be rendered when its step begins. `ref` alone keeps the type of what it finds;
 * in `text` what is no text becomes JSON. What holds no reference is a `literal` as a whole.
 */
export type Value =
  | { literal: Json }
  | { ref: Ref }
  | { text: (string | Ref)[] }
  | { list: Value[] }
  | { map: Record<string, Value> };
export const Value: z.ZodType<Value> = z.lazy(() =>
  z.union([
    z.strictObject({ literal: Json }),
    z.strictObject({ ref: Ref }),
    z.strictObject({ text: z.array(z.union([z.string(), Ref])) }),
    z.strictObject({ list: z.array(Value) }),
    z.strictObject({ map: z.record(z.string(), Value) }),
  ]),
);

/**
 * `truthy`: there is something, and it is none of false, 0, "", [] and {}. `cel`: an expression of the Common Expression
 * Language over the roots and bare names.
 */
export type Condition = { truthy: Ref } | { cel: string } | { not: Condition };
export const Condition: z.ZodType<Condition> = z.lazy(() =>
  z.union([z.strictObject({ truthy: Ref }), z.strictObject({ cel: z.string() }), z.strictObject({ not: Condition })]),
);

/** As `RetryPolicy`, all of it said. */
export const PlanRetry = z.strictObject({
  maxAttempts: z.int().min(1),
  backoff: z.enum(["fixed", "linear", "exponential"]),
  initialDelayMs: z.number().min(0),
  maxDelayMs: z.number().min(0),
  multiplier: z.number().min(1),
  retryableErrors: z.array(z.string()).optional(),
});
export type PlanRetry = z.infer<typeof PlanRetry>;

/** A text, or what chooses one when the step begins. */
export const Chosen = z.union([z.string(), Value]);
export type Chosen = z.infer<typeof Chosen>;

/** The canonical name of an agent. */
export const Provider = z.custom<AgentName>((name) => typeof name === "string" && isAgentName(name), "no agent");
export type Provider = AgentName;

/** What an agent may do without asking. */
export const Permission = z.enum(["default", "plan", "acceptEdits", "bypassPermissions"]);
export type Permission = z.infer<typeof Permission>;

/** As `Check` in `verify.ts`, with references. */
export const PlanCheck = z.union([
  z.strictObject({ tree_changed: z.literal(true) }),
  z.strictObject({ file_exists: Value }),
  z.strictObject({ command: Value, timeout_ms: z.int().min(1).optional() }),
  z.strictObject({ branch_pushed: z.union([z.literal(true), Value]) }),
]);
export type PlanCheck = z.infer<typeof PlanCheck>;

/** Agents that are asked the same at the same time, each in a step of its own, `<key>.<name>`. What is said of one beats what the step says. */
export const PlanPanel = z.strictObject({
  members: z
    .array(
      z.strictObject({
        /** Its own in the panel. */
        name: z.string(),
        provider: Provider.optional(),
        role: Chosen.optional(),
        model: Chosen.optional(),
      }),
    )
    .min(LEAST_MEMBERS)
    .max(MOST_MEMBERS),
  strategy: z.enum(PANEL_STRATEGIES),
  /** Fields of the answer by which a majority is found. Left out: the whole answer. */
  agree_on: z.array(z.string()).min(1).optional(),
});
export type PlanPanel = z.infer<typeof PlanPanel>;

/** Times that one approval can send work back. */
export const MOST_REWORKS = 20;

/** After a rejection the agent of the step with this key is told the reason, in its session; then it is asked again, `times` at most. The last rejection fails the step. */
export const Rework = z.strictObject({ rework: z.string(), times: z.int().min(1).max(MOST_REWORKS) });
export type Rework = z.infer<typeof Rework>;

/** What a step does. Times are in milliseconds. */
export const PlanWork = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("agent"),
    /** Chosen when the step begins, it must be one that can run steps. Left out: as the role's file says, else the project's settings, else the default. */
    provider: z.union([Provider, Value]).optional(),
    /** Who does it, instead of `provider`; `permission` is "plan" then. */
    panel: PlanPanel.optional(),
    prompt: Value,
    /** Whom the agent is to be, such as "security": the file `.agent/agents/security.md`, or the word alone where there is none. */
    role: Chosen.optional(),
    /** A file of `.agent/profiles`; "default" is none. */
    profile: Chosen.optional(),
    /** Folders of `.agent/skills`. Left out: those that the profile names, else the role. */
    skills: z.array(z.string()).optional(),
    /** Servers of `.agent/mcp.json` whose tools it is given. */
    mcp_servers: z.array(z.string()).optional(),
    system_prompt: Value.optional(),
    model: Chosen.optional(),
    permission: Permission.optional(),
    /** Where neither the step, nor its profile, nor its role says one. Left out: "default". */
    default_permission: Permission.optional(),
    max_turns: z.int().min(1).optional(),
    secrets: SecretNames.optional(),
    /** How a person is asked for what the permission does not cover. False: nobody is, it is refused. Left out: without a deadline. */
    ask: z
      .union([
        z.literal(false),
        z.strictObject({ deadline_ms: z.int().min(1).optional(), default: z.enum(["allow", "deny"]).optional() }),
      ])
      .optional(),
    /** Of all its tries. */
    budget: Budget.optional(),
    /** What must be so after its turn; else it fails as `agent_unverified`. */
    verify: z.array(PlanCheck).min(1).optional(),
  }),
  z.strictObject({
    kind: z.literal("shell"),
    /** References in it reach the shell as environment variables, never as source text. */
    command: Value,
    cwd: Value.optional(),
    env: z.record(z.string(), Value).optional(),
    allow_failure: z.boolean().optional(),
    secrets: SecretNames.optional(),
  }),
  z.strictObject({ kind: z.literal("tool"), server: z.string(), tool: z.string(), params: Value }),
  /** A function of the file that `Plan.activities` names, which is given `params`. */
  z.strictObject({ kind: z.literal("activity"), activity: z.string(), params: Value }),
  z.strictObject({
    kind: z.literal("approval"),
    message: Value,
    /** JSON schema of the answer's fields. */
    fields: JsonObject.optional(),
    /** How long to wait. Left out: for ever. */
    deadline_ms: z.int().min(1).optional(),
    /** The answer when nobody has answered by then. Left out: the step fails. */
    default: z.enum(["approve", "reject"]).optional(),
    /** Who may answer, and how many of them decide it. */
    ...Quorum.shape,
    remind_every_ms: z.int().min(LEAST_REMIND_MS).optional(),
    /** Left out: a rejection fails the step. `continue`: it is an answer. */
    on_reject: z.union([z.literal("continue"), Rework]).optional(),
  }),
  z.strictObject({ kind: z.literal("sleep"), duration: Value }),
  z.strictObject({ kind: z.literal("wait"), event: Value, deadline_ms: z.int().min(1).optional() }),
  z.strictObject({ kind: z.literal("workflow"), workflow: z.string(), input: Value }),
]);
export type PlanWork = z.infer<typeof PlanWork>;

export const PlanStep = z.strictObject({
  key: z.string(),
  /** How people see it. Left out: its key. */
  name: z.string().optional(),
  phase: z.string().optional(),
  /** Keys of the steps that must be over before it begins. */
  needs: z.array(z.string()),
  work: PlanWork,
  /** Not met: the step is skipped. */
  condition: Condition.optional(),
  /** Done once for each item, as steps of the same key; the output is the list of their outputs. */
  for_each: z.strictObject({ items: Value, concurrency: z.int().min(1) }).optional(),
  /** Left out: one try, made again when its worker was lost. `false`: not that either, as it may have acted; it fails as `outcome_unknown`. */
  retry: z.union([z.literal(false), PlanRetry]).optional(),
  /** Of one try. Left out: none. */
  timeout_ms: z.int().min(1).optional(),
  idle_timeout_ms: z.int().min(1).optional(),
  /** After the last try has failed. `retry` ends like `stop`: that it is tried again is said by `retry`. */
  on_failure: z.enum(["stop", "continue", "retry"]),
  /** As `continue`, and its output is absent to those that need it. */
  optional: z.boolean().optional(),
  /** JSON schema that the output must fit. */
  output_schema: JsonObject.optional(),
  /** The name under which the output is found besides the key. */
  assign: z.string().optional(),
  /** Shown on Temporal's page. */
  summary: Value.optional(),
});
export type PlanStep = z.infer<typeof PlanStep>;

/** The order in which steps are done. */
export const PlanFlow = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("graph"),
    /** Steps at once. Left out: no limit. */
    concurrency: z.int().min(1).optional(),
    /** A step waits until all steps of the levels before its own are over, not only those it needs. */
    by_level: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal("loop"),
    /** Passes in all. */
    max_iterations: z.int().min(1),
    /** `stop_when` is not asked before this pass. Left out: from the first on. */
    min_iterations: z.int().min(1).optional(),
    /** Where the next pass begins; a step's output may name another by `recommended_next_stage`. Left out: the first step. */
    next: z.string().optional(),
    /** Asked after each step, with `item` as that step's output. Met: the run is completed. */
    stop_when: Condition.optional(),
  }),
]);
export type PlanFlow = z.infer<typeof PlanFlow>;

/**
 * What every declarative definition compiles to: all that a run of it does. Steps stand in an order in which each comes
 * after those it needs.
 */
export const Plan = z.strictObject({
  format: z.literal(1),
  /** URL-safe, where the definition says one besides its name. */
  id: z.string().optional(),
  name: z.string(),
  description: z.string().optional(),
  version: z.string().optional(),
  author: z.string().optional(),
  tags: z.array(z.string()),
  phases: z.array(z.string()),
  /** JSON schema of the run's input. */
  input_schema: JsonObject.optional(),
  /** The file of the functions that its steps call, relative to the definition. */
  activities: z.string().optional(),
  /** Of the run, in milliseconds; 0: none. */
  timeout_ms: z.int().min(0),
  /** Of the run and of all runs under it. */
  budget: Budget.optional(),
  /** At least this often a run under way leaves a checkpoint of its own, at a step's end. */
  checkpoint_interval_ms: z.int().min(1).optional(),
  /** Where a bare name is looked for, first to last. */
  names: z.array(z.enum(["item", "vars", "steps", "context", "input"])),
  flow: PlanFlow,
  steps: z.array(PlanStep),
  /** Done in order when the run has failed, and whatever happens. */
  on_failure: z.array(PlanStep).optional(),
  finally: z.array(PlanStep).optional(),
});
export type Plan = z.infer<typeof Plan>;
