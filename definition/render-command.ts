import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import { showRef } from "./missing.js";
import { asText, demand, RenderError } from "./render.js";
import type { Scope } from "./scope.js";
import { fillHoles, ShellProblem } from "./shell-source.js";
import { HOLE } from "./shell-words.js";

/** Linux takes no longer environment variable, in bytes; and what all values of a command may have together. */
const LONGEST = 128 * 1024 - 64;
const LARGEST = 1024 * 1024;

/**
 * A shell command whose references have become shell variables (`LH_1`, …), and the variables. Whatever quotes the author has
 * put around a reference, the value is part of that one word, byte for byte, and bash reads nothing of it as source text.
 *
 * @throws {RenderError} `missing_value`; `unfit_value` for a reference where bash would evaluate the value (`commandProblem` tells
 * beforehand), or a value that no environment variable can hold
 */
export function renderCommand(value: Value, scope: Scope): { command: string; env: Record<string, string> } {
  if ("literal" in value) return { command: asText(value.literal), env: {} };
  const refs = refsIn(value);
  const problem = commandProblem(value);
  if (problem) throw new RenderError("unfit_value", problem);
  const names = new Map<string, string>();
  const env: Record<string, string> = {};
  const variables = refs.map((ref) => {
    const key = JSON.stringify(ref);
    const name = names.get(key) ?? `LH_${names.size + 1}`;
    if (!names.has(key)) env[name] = asVariable(ref, demand(ref, scope));
    names.set(key, name);
    return name;
  });
  if (Object.values(env).reduce((sum, text) => sum + utf8Length(text), 0) > LARGEST)
    throw new RenderError("unfit_value", "The values of this command have more than 1 MiB together. Write them to files.");
  let next = 0;
  return { command: fillHoles(sourceOf(value), () => variables[next++] ?? ""), env };
}

/** Why no run could render a command, as a sentence; undefined when it can be rendered. */
export function commandProblem(value: Value): string | undefined {
  if ("literal" in value) return typeof value.literal === "string" ? undefined : "A command is a text.";
  if ("list" in value || "map" in value) return "A command is a text.";
  if ("text" in value && value.text.some((part) => typeof part === "string" && part.includes(HOLE)))
    return "A command cannot hold a NUL character.";
  const refs = refsIn(value);
  try {
    fillHoles(sourceOf(value), () => "LH");
    return undefined;
  } catch (error) {
    if (!(error instanceof ShellProblem)) throw error;
    const ref = refs[error.hole];
    return `${ref ? `"${showRef(ref)}"` : "A reference"} cannot stand where it does in the command: ${error.message}.`;
  }
}

function refsIn(value: Value): Ref[] {
  if ("ref" in value) return [value.ref];
  return "text" in value ? value.text.filter((part) => typeof part !== "string") : [];
}

function sourceOf(value: Value): string {
  if ("ref" in value) return HOLE;
  return "text" in value ? value.text.map((part) => (typeof part === "string" ? part : HOLE)).join("") : "";
}

function asVariable(ref: Ref, value: Json): string {
  const text = asText(value);
  const refuse = (why: string) => new RenderError("unfit_value", `The value of "${showRef(ref)}" ${why}.`);
  if (text.includes("\0")) throw refuse("holds a NUL character, which no shell command can be given");
  if (!text.isWellFormed())
    throw refuse("holds half of a character (an unpaired surrogate), which no shell command can be given");
  if (utf8Length(text) > LONGEST)
    throw refuse("is longer than 128 KiB, more than a shell command can be given. Write it to a file");
  return text;
}

function utf8Length(text: string): number {
  let length = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}
