import { z } from "zod";
import type { Problem } from "../contract/errors.js";
import { type Json, type JsonObject, Json as JsonSchema } from "../contract/json.js";
import { compile } from "./compile.js";
import { readDag } from "./dag.js";
import { cyclesOf, type Graph, graphOf } from "./graph.js";
import { nearest } from "./nearest.js";
import { toJson } from "./node.js";
import { DependencyCycleError, WorkflowParseError } from "./parse-errors.js";
import { type Path, parsePath, showPath } from "./path.js";
import { Problems } from "./problems.js";
import { read } from "./read.js";
import { asText, render } from "./render.js";
import { find, type Scope } from "./scope.js";
import { parseTemplate, type TemplateOptions } from "./template.js";
import { yamlOf } from "./write-yaml.js";

export const WorkflowConfig = z.looseObject({
  timeout: z.union([z.number(), z.string()]).optional(),
  maxRetries: z.int().default(0),
  checkpointInterval: z.union([z.number(), z.string()]).default(60_000),
  parallelism: z.int().default(5),
  continueOnError: z.boolean().default(false),
});

export const WorkflowStep = z.looseObject({
  key: z.string(),
  agent: z.string().optional(),
  prompt: z.string().optional(),
  dependencies: z.array(z.string()).default([]),
  parallel: z.boolean().default(true),
  optional: z.boolean().default(false),
  outputSchema: JsonSchema.optional(),
});

/** A definition of the dialect `dag` as data, its defaults filled in; other keys are kept. */
export const WorkflowDefinition = z.looseObject({
  name: z.string(),
  version: z.string().default("1.0.0"),
  description: z.string().optional(),
  author: z.string().optional(),
  tags: z.array(z.string()).optional(),
  config: WorkflowConfig.optional(),
  steps: z.array(WorkflowStep),
});
export type WorkflowDefinition = z.infer<typeof WorkflowDefinition>;

/** What is named in a template; nothing is known of its steps here. */
const ANY_NAME: TemplateOptions = { marks: ["{{"], toRef: (path) => ["name", ...path] };

/**
 * Read a definition from YAML. What its steps are to one another is for `validate` and `buildDependencyGraph` to say.
 *
 * @throws {WorkflowParseError} with every problem of its form
 */
export function parseYAML(text: string): WorkflowDefinition {
  return parse(text, "definition.yaml", "YAML");
}

/** As `parseYAML`, from JSON. */
export function parseJSON(text: string): WorkflowDefinition {
  return parse(text, "definition.json", "JSON");
}

/**
 * The graph of the steps, with its levels.
 *
 * @throws {WorkflowParseError} for a dependency that is no step
 * @throws {DependencyCycleError} when steps wait for each other; the first cycle found
 */
export function buildDependencyGraph({ steps }: WorkflowDefinition): Graph {
  const keys = new Set(steps.map(({ key }) => key));
  for (const { key, dependencies } of steps) {
    const unknown = dependencies.find((need) => !keys.has(need));
    if (unknown === undefined) continue;
    const meant = nearest(unknown, keys);
    throw new WorkflowParseError(
      `Step "${key}" depends on non-existent step "${unknown}"${meant ? `. Did you mean "${meant}"?` : ""}`,
    );
  }
  const graph = graphOf(steps.map(({ key, dependencies }) => ({ key, needs: dependencies })));
  const [cycle] = cyclesOf(graph);
  if (cycle) throw new DependencyCycleError(cycle);
  return graph;
}

/** Everything that is wrong with a definition, in sentences. */
export function validate(workflow: WorkflowDefinition): { valid: boolean; errors: string[]; problems: Problem[] } {
  const result = compile(JSON.stringify({ ...workflow, dialect: "dag" }), "definition.json");
  const problems = result.ok ? [] : result.problems;
  return { valid: result.ok, errors: problems.map(({ message }) => message), problems };
}

/** The paths that a prompt names, each once: `["filePath", "parse-changes.functions"]`. */
export function extractPlaceholders(prompt: string): string[] {
  const paths: string[] = [];
  const { problems } = parseTemplate(prompt, {
    ...ANY_NAME,
    toRef: (path) => {
      paths.push(showPath(path));
      return ["name", ...path];
    },
  });
  reportText(problems);
  return [...new Set(paths)];
}

/**
 * A prompt with its placeholders filled in from a context of variables and step results. Texts stay as they are, all else becomes JSON.
 *
 * @throws {WorkflowParseError} for a placeholder that is none. @throws {RenderError} for a value that is not there
 */
export function renderPrompt(template: string, context: JsonObject): string {
  const { value, problems } = parseTemplate(template, ANY_NAME);
  reportText(problems);
  return asText(render(value, scopeOf(context)));
}

/** What a path finds in a context, or undefined. */
export function resolveContextValue(path: string, context: JsonObject): Json | undefined {
  const parsed = parsePath(path);
  if ("problem" in parsed) throw new WorkflowParseError(`"${path}" is no path: ${parsed.problem}.`);
  return find(refOf(parsed.path), scopeOf(context));
}

export function toYAML(workflow: WorkflowDefinition): string {
  return yamlOf(jsonOf(workflow));
}

/** @param pretty on several lines. @default true */
export function toJSON(workflow: WorkflowDefinition, pretty = true): string {
  return JSON.stringify(workflow, null, pretty ? 2 : undefined);
}

function parse(text: string, file: string, format: string): WorkflowDefinition {
  const result = read(text, file);
  if (!result.ok) throw parseError(format, result.problems);
  const problems = new Problems();
  readDag(result.root, problems, ANY_NAME);
  if (problems.some) throw parseError(format, problems.list());
  return WorkflowDefinition.parse(canonical(toJson(result.root)));
}

/** `dependsOn` is another spelling of `dependencies`. */
function canonical(definition: Json): Json {
  const { steps, ...rest } = isObject(definition) ? definition : {};
  if (!Array.isArray(steps)) return rest;
  const renamed = steps.map((step) => {
    const { dependsOn, ...others } = isObject(step) ? step : {};
    return dependsOn === undefined ? others : { ...others, dependencies: dependsOn };
  });
  return { ...rest, steps: renamed };
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseError(format: string, problems: Problem[]): WorkflowParseError {
  const lines = problems.map(({ line, column, message }) => `${line === undefined ? "" : `${line}:${column} `}${message}`);
  return new WorkflowParseError(`Failed to parse ${format}: ${lines.join("\n")}`, problems);
}

function reportText(problems: { message: string }[]): void {
  const [first] = problems;
  if (first) throw new WorkflowParseError(first.message);
}

function refOf(path: Path) {
  return ["name", ...path] as ["name", ...Path];
}

/** Results and variables lie side by side in such a context; `.result` after a name is the whole of it, as after a step. */
function scopeOf(context: JsonObject): Scope {
  return { input: null, context: {}, steps: context, vars: {}, run: {}, names: ["steps"] };
}

function jsonOf(workflow: WorkflowDefinition): Json {
  return JSON.parse(JSON.stringify(workflow)) as Json;
}
