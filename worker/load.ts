import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { relative } from "node:path";
import type { Problem } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { InputResult, Loader, LoadResult } from "../contract/loader.js";
import type { Program } from "../contract/run-spec.js";
import type { LoadError } from "../contract/workflow.js";
import { builtFile } from "../package-root.js";
import { CompileError, compile } from "./compile.js";

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

/** Loads definition files, each in a child process of its own: an endless loop or an exit there harms nothing. */
export function createLoader({ timeLimitMs = TIME_LIMIT_MS }: { timeLimitMs?: number } = {}): Loader {
  return {
    async load(file, root): Promise<LoadResult> {
      try {
        const { program, activitiesCode } = await compile(file, root);
        const answer = await ask({ ask: "describe", program, activitiesCode }, program.file, timeLimitMs);
        if (!answer.ok) return { ok: false, error: errorOf(answer, program.file) };
        if (!("description" in answer)) throw new Error("A describing child answered with an input.");

        const { activities, ...described } = answer.description;
        const hash = createHash("sha256")
          .update(program.code)
          .update("\0")
          .update(activitiesCode ?? "")
          .digest("hex");
        return {
          ok: true,
          workflow: { ...described, program: { ...program, activities }, activities_code: activitiesCode, hash },
        };
      } catch (error) {
        if (error instanceof CompileError) return { ok: false, error: error.problem };
        const message = error instanceof Error ? error.message : String(error);
        return { ok: false, error: { message, file: relative(root, file), line: null, column: null } };
      }
    },

    async checkInput(program, input): Promise<InputResult> {
      const answer = await ask({ ask: "check", program, input }, program.file, timeLimitMs);
      if (answer.ok && "input" in answer) return { ok: true, input: answer.input };
      if (!answer.ok && "problems" in answer) return { ok: false, problems: answer.problems };
      const error = answer.ok ? null : errorOf(answer, program.file);
      return {
        ok: false,
        problems: [{ path: "input", message: `The workflow could not check its input: ${error?.message ?? "no answer"}` }],
      };
    },
  };
}

function errorOf(answer: LoadAnswer & { ok: false }, file: string): LoadError {
  if ("error" in answer) return { ...answer.error, column: null };
  return { message: answer.problems.map(({ message }) => message).join("; "), file, line: null, column: null };
}

function ask(request: LoadRequest, file: string, timeLimitMs: number): Promise<LoadAnswer> {
  return new Promise((resolve) => {
    const child = fork(builtFile("worker/load-child.js"), [], {
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-old-space-size=512"],
      serialization: "advanced",
    });
    const fail = (message: string) => resolve({ ok: false, error: { message, file, line: null } });
    const limit = setTimeout(() => {
      fail(`The file was not evaluated within ${timeLimitMs / 1000} s. Is there a loop at its top level?`);
      child.kill("SIGKILL");
    }, timeLimitMs);

    child.once("message", (answer: LoadAnswer) => {
      resolve(answer);
      child.kill("SIGKILL");
    });
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => {
      clearTimeout(limit);
      fail(`The file ended its process (exit code ${code ?? "none"}) while it was evaluated.`);
    });
    child.send(request);
  });
}
