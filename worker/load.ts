import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { Spare } from "../activities/spare.js";
import type { Problem } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { CompiledText, InputResult, LoadedWorkflow, Loader, LoadResult } from "../contract/loader.js";
import type { Plan } from "../contract/plan.js";
import type { CodeProgram, PlanProgram } from "../contract/run-spec.js";
import type { LoadError } from "../contract/workflow.js";
import type { CompileResult } from "../definition/compile.js";
import { CompileError, compile } from "./compile.js";
import { alone, loadFunctions } from "./load-functions.js";
import { LoadProcess } from "./load-process.js";
import { PlanProcess } from "./plan-process.js";

/** How long a file may take to be evaluated: it only has to describe itself. */
const TIME_LIMIT_MS = 10_000;

/** What a child that evaluates code is asked. */
export type CodeRequest =
  | { ask: "describe"; program: Omit<CodeProgram, "activities">; activitiesCode: string | null }
  /** `code`: what `compileFunctions` gives of the file. */
  | { ask: "functions"; file: string; code: string }
  | { ask: "check"; program: CodeProgram; input: Json };

/** What the one that reads plans is asked. */
export type PlanRequest = { ask: "plan"; file: string; text: string } | { ask: "check"; program: PlanProgram; input: Json };

export type LoadRequest = CodeRequest | PlanRequest;

export interface Description {
  name: string;
  description: string | null;
  version: string | null;
  phases: string[];
  args_schema: Json | null;
  config: Json;
  timeout_ms: number;
  activities: string[];
}

export type LoadAnswer =
  | { ok: true; description: Description }
  | (CompileResult & { ok: true })
  | { ok: true; names: string[] }
  | { ok: true; input: Json }
  | { ok: false; problems: Problem[] }
  | { ok: false; error: { message: string; file: string; line: number | null } };

/** A program that nothing was asked of for this long has its process ended. */
const IDLE_MS = 300_000;

/** Processes kept at most; each holds one program. */
const MOST_KEPT = 8;

/** One for all loaders of this process. They end with it, as those do that are kept. */
const spare = new Spare(() => new LoadProcess("load"));
const plans = new PlanProcess();

/**
 * Loads definition files: those of TypeScript each in a child process of its own, where an endless loop or an exit harms
 * nothing. The process that described a program is kept for a while, to check the inputs of its runs. After the first one
 * a spare one waits, with all imports done, for the next program. All others are read by one process.
 */
export function createLoader({ timeLimitMs = TIME_LIMIT_MS }: { timeLimitMs?: number } = {}): Loader {
  const kept = new Map<string, { child: LoadProcess; idle: NodeJS.Timeout }>();

  return {
    async load(file, root, text): Promise<LoadResult> {
      if (!file.endsWith(".ts")) return loadPlan(file, root, text);
      try {
        const { program, activitiesCode, files } = await compile(file, root, text);
        const answer = await ask(keyOf(program), { ask: "describe", program, activitiesCode });
        if (!answer.ok) return { ok: false, error: errorOf(answer, program.file) };
        if (!("description" in answer)) throw new Error("A child that was to describe answered something else.");

        const { activities, ...described } = answer.description;
        const hash = sha256(`${program.code}\0${activitiesCode ?? ""}`);
        return {
          ok: true,
          workflow: {
            ...described,
            type: "code",
            dialect: "typescript",
            tags: [],
            author: null,
            program: { ...program, activities },
            activities_code: activitiesCode,
            hash,
          },
          files,
        };
      } catch (error) {
        if (error instanceof CompileError) return { ok: false, error: error.problem };
        const message = error instanceof Error ? error.message : String(error);
        return { ok: false, error: { message, file: relative(root, file), line: null, column: null } };
      }
    },

    async compileText(text, file): Promise<CompiledText> {
      const answer = await plans.ask({ ask: "plan", file, text }, timeLimitMs);
      if (answer.ok && "plan" in answer && answer.functions) return { ok: false, problems: [alone(answer.functions)] };
      if (answer.ok && "plan" in answer) return { ok: true, workflow: plannedWorkflow(answer, file) };
      if (answer.ok) throw new Error("A child that was to compile answered something else.");
      return { ok: false, problems: "problems" in answer ? answer.problems : [{ path: "", message: answer.error.message }] };
    },

    async checkInput(program, input): Promise<InputResult> {
      const answer =
        program.kind === "plan"
          ? await plans.ask({ ask: "check", program, input }, timeLimitMs)
          : await ask(keyOf(program), { ask: "check", program, input });
      if (answer.ok && "input" in answer) return { ok: true, input: answer.input };
      if (!answer.ok && "problems" in answer) return { ok: false, problems: answer.problems };
      const error = answer.ok ? null : errorOf(answer, program.file);
      return {
        ok: false,
        problems: [{ path: "input", message: `The workflow could not check its input: ${error?.message ?? "no answer"}` }],
      };
    },
  };

  async function loadPlan(path: string, root: string, given?: string): Promise<LoadResult> {
    const file = relative(root, path);
    const text = given ?? (await readFile(path, "utf8"));
    const answer = await plans.ask({ ask: "plan", file, text }, timeLimitMs);
    if (!answer.ok) return { ok: false, error: errorOf(answer, file) };
    if (!("plan" in answer)) throw new Error("A child that was to compile answered something else.");
    const { functions } = answer;
    if (!functions) return { ok: true, workflow: plannedWorkflow(answer, file), files: [path] };
    const loaded = await loadFunctions(functions, { path, root, namesOf });
    if (!loaded.ok) return loaded;
    return { ok: true, workflow: plannedWorkflow(answer, file, loaded.code), files: [path, ...loaded.files] };
  }

  async function namesOf(file: string, code: string): Promise<string[] | LoadError> {
    const child = spare.take(); // it is not kept: only the names are asked
    const answer = await child.ask({ ask: "functions", file, code }, timeLimitMs);
    child.release();
    if (!answer.ok) return errorOf(answer, file);
    if (!("names" in answer)) throw new Error("A child that was to name functions answered something else.");
    return answer.names;
  }

  function ask(key: string, request: CodeRequest): Promise<LoadAnswer> {
    const known = kept.get(key);
    if (known) clearTimeout(known.idle);
    const child = known?.child.alive ? known.child : takeFor(key);
    const idle = setTimeout(() => child.release(), IDLE_MS).unref();
    kept.delete(key);
    kept.set(key, { child, idle });
    const [oldest] = kept.values();
    if (kept.size > MOST_KEPT) oldest?.child.release();
    return child.ask(request, timeLimitMs);
  }

  function takeFor(key: string): LoadProcess {
    const child = spare.take();
    child.onceGone(() => {
      if (kept.get(key)?.child === child) kept.delete(key);
    });
    return child;
  }
}

/** @param code compiled text of the functions that it calls */
function plannedWorkflow(
  { plan, dialect, version }: Extract<LoadAnswer, { plan: Plan }>,
  file: string,
  code?: string,
): LoadedWorkflow {
  const { name, description = null, version: named = null, phases, tags, author = null, timeout_ms } = plan;
  return {
    name,
    description,
    version: named,
    phases,
    tags,
    author,
    timeout_ms,
    config: {},
    args_schema: plan.input_schema ?? null,
    type: file.endsWith(".json") ? "json" : "yaml",
    dialect,
    program: { kind: "plan", plan, file, ...(code === undefined ? {} : { activities_hash: sha256(code) }) },
    activities_code: code ?? null,
    hash: code === undefined ? version : sha256(`${version}\0${code}`),
  };
}

/** What one process is kept for: code is evaluated there once. */
function keyOf({ file, code }: Pick<CodeProgram, "file" | "code">): string {
  return sha256(`${file}\0${code}`);
}

function errorOf(answer: LoadAnswer & { ok: false }, file: string): LoadError {
  if ("error" in answer) return { ...answer.error, column: null };
  const [first, ...more] = answer.problems;
  const { message = "It cannot be read.", line = null, column = null } = first ?? {};
  return { message, file, line, column, ...(more.length > 0 ? { problems: [...answer.problems] } : {}) };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
