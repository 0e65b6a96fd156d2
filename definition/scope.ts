import type { Json, JsonObject } from "../contract/json.js";
import type { Plan, Ref } from "../contract/plan.js";
import { answerOf, isAgentOutput } from "./answer.js";
import { lookUp } from "./path.js";

/** All that references can reach, as it is when a step begins. */
export interface Scope {
  /** The run's input. */
  input: Json;
  /** The run's context, without the input. */
  context: JsonObject;
  /** The output of each step that is over and has one, by key. */
  steps: JsonObject;
  /** What steps have assigned. */
  vars: JsonObject;
  /** `id`, `name`, `iteration`. */
  run: JsonObject;
  /** Of a for-each, or the output of the step after which a loop asks whether to stop. */
  item?: Json;
  index?: number;
  /** `Plan.names`: where a bare name is looked for, first to last. */
  names: Plan["names"];
}

/**
 * What a reference finds, or undefined. `.result` and `.output` right after a step are the step's whole output, unless that is
 * an object with a property of that name. Fields of what an agent has answered are found as if they were its output's own.
 */
export function find(ref: Ref, scope: Scope): Json | undefined {
  const [root, ...path] = ref;
  if (root === "name") return findName(path, scope);
  if (root === "steps") return findInSteps(path, scope.steps);
  if (root === "vars") return findInVars(path, scope.vars);
  const from = rootOf(root, scope);
  return from === undefined ? undefined : lookUp(from, path);
}

/** The value of a root; undefined when there is none, such as `item` outside of a for-each. */
export function rootOf(root: Exclude<Ref[0], "name">, scope: Scope): Json | undefined {
  return root === "context" ? contextOf(scope) : scope[root];
}

/** The root in which a bare name is found: the first of `Scope.names` that owns it. */
export function homeOf(name: string | number, scope: Scope): Plan["names"][number] | undefined {
  return scope.names.find((root) => {
    const from = rootOf(root, scope);
    return isObject(from) && Object.hasOwn(from, name);
  });
}

function findName(path: (string | number)[], scope: Scope): Json | undefined {
  const [name] = path;
  const home = name === undefined ? undefined : homeOf(name, scope);
  return home && find([home, ...path], scope);
}

function findInSteps([key, ...path]: (string | number)[], steps: JsonObject): Json | undefined {
  if (key === undefined) return steps;
  if (!Object.hasOwn(steps, key)) return undefined;
  const output = steps[key] ?? null;
  const [first, ...rest] = path;
  const isWhole = (first === "result" || first === "output") && !(isObject(output) && Object.hasOwn(output, first));
  return findInOutput(isWhole ? rest : path, output);
}

function findInVars([name, ...path]: (string | number)[], vars: JsonObject): Json | undefined {
  if (name === undefined) return vars;
  return Object.hasOwn(vars, name) ? findInOutput(path, vars[name] ?? null) : undefined;
}

function findInOutput(path: (string | number)[], output: Json): Json | undefined {
  const found = lookUp(output, path);
  return found === undefined && isAgentOutput(output) ? lookUp(answerOf(output), path) : found;
}

/** The run's context with its input over it. */
function contextOf({ context, input }: Scope): JsonObject {
  return isObject(input) ? { ...context, ...input } : context;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
