import { createHash } from "node:crypto";
import { relative } from "node:path";
import { Spare } from "../activities/spare.js";
import type { Problem } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { InputResult, Loader, LoadResult } from "../contract/loader.js";
import type { Program } from "../contract/run-spec.js";
import type { LoadError } from "../contract/workflow.js";
import { CompileError, compile } from "./compile.js";
import { LoadProcess } from "./load-process.js";

/** How long a file may take to be evaluated: it only has to describe itself. */
const TIME_LIMIT_MS = 10_000;

/** What the child is asked, and what it answers. */
export type LoadRequest =
  | { ask: "describe"; program: Omit<Program, "activities">; activitiesCode: string | null }
  | { ask: "check"; program: Program; input: Json };

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
  | { ok: true; input: Json }
  | { ok: false; problems: Problem[] }
  | { ok: false; error: { message: string; file: string; line: number | null } };

/** A program that nothing was asked of for this long has its process ended. */
const IDLE_MS = 300_000;

/** Processes kept at most; each holds one program. */
const MOST_KEPT = 8;

/** One for all loaders of this process. It ends with it, as those do that are kept. */
const spare = new Spare(() => new LoadProcess());

/**
 * Loads definition files, each in a child process of its own: an endless loop or an exit there harms
 * nothing. The process that described a program is kept for a while, to check the inputs of its runs. After the first one
 * a spare one waits, with all imports done, for the next program.
 */
export function createLoader({ timeLimitMs = TIME_LIMIT_MS }: { timeLimitMs?: number } = {}): Loader {
  const kept = new Map<string, { child: LoadProcess; idle: NodeJS.Timeout }>();

  return {
    async load(file, root): Promise<LoadResult> {
      try {
        const { program, activitiesCode, files } = await compile(file, root);
        const answer = await ask({ ask: "describe", program, activitiesCode });
        if (!answer.ok) return { ok: false, error: errorOf(answer, program.file) };
        if (!("description" in answer)) throw new Error("A describing child answered with an input.");

        const { activities, ...described } = answer.description;
        const hash = sha256(`${program.code}\0${activitiesCode ?? ""}`);
        return {
          ok: true,
          workflow: { ...described, program: { ...program, activities }, activities_code: activitiesCode, hash },
          files,
        };
      } catch (error) {
        if (error instanceof CompileError) return { ok: false, error: error.problem };
        const message = error instanceof Error ? error.message : String(error);
        return { ok: false, error: { message, file: relative(root, file), line: null, column: null } };
      }
    },

    async checkInput(program, input): Promise<InputResult> {
      const answer = await ask({ ask: "check", program, input });
      if (answer.ok && "input" in answer) return { ok: true, input: answer.input };
      if (!answer.ok && "problems" in answer) return { ok: false, problems: answer.problems };
      const error = answer.ok ? null : errorOf(answer, program.file);
      return {
        ok: false,
        problems: [{ path: "input", message: `The workflow could not check its input: ${error?.message ?? "no answer"}` }],
      };
    },
  };

  function ask(request: LoadRequest): Promise<LoadAnswer> {
    const { file, code } = request.program;
    const key = sha256(`${file}\0${code}`);
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

function errorOf(answer: LoadAnswer & { ok: false }, file: string): LoadError {
  if ("error" in answer) return { ...answer.error, column: null };
  return { message: answer.problems.map(({ message }) => message).join("; "), file, line: null, column: null };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
