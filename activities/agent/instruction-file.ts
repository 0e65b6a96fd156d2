import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import type { AgentName } from "../../contract/agent-provider.js";
import type { Problem } from "../../contract/errors.js";
import type { InstructionFile } from "../../contract/instruction-file.js";
import { Permission } from "../../contract/plan.js";
import { Fields, fieldsOf } from "../../definition/fields.js";
import { Lines } from "../../definition/lines.js";
import { Problems, Unreadable } from "../../definition/problems.js";
import { providerOf } from "../../definition/providers.js";
import { URL_SAFE, URL_SAFE_NAME, URL_SAFE_WORDS } from "../../definition/url-safe.js";
import { readYaml } from "../../definition/yaml-text.js";
import { StepFailure } from "../failure.js";

export type InstructionKind = InstructionFile["kind"];

/** A file of the project that tells an agent who it is or how it works. */
export interface Instruction {
  file: InstructionFile;
  settings: Settings;
  /** What stands below the front matter; empty when nothing does. */
  body: string;
}

/** What front matter says; each kind of file has some of it. */
export interface Settings {
  provider?: AgentName | undefined;
  model?: string | undefined;
  permission?: Permission | undefined;
  skills?: string[] | undefined;
  description?: string | undefined;
}

/** Of one file. */
export const MAX_FILE_BYTES = 64 * 1024;

/** Keys of a skill's front matter that other programs know: they are taken, and have no effect here. */
const FOR_OTHERS = ["license", "compatibility", "metadata", "allowed-tools"];

/** Where the file of a name lies, relative to the project. */
export function pathOf(kind: InstructionKind, name: string): string {
  const places = { role: `agents/${name}.md`, profile: `profiles/${name}.md`, skill: `skills/${name}/SKILL.md` };
  return `.agent/${places[kind]}`;
}

/** Whether a file can have this name. */
export function isFileName(name: string): boolean {
  return URL_SAFE.test(name);
}

/**
 * Read the file of a role, a profile or a skill.
 *
 * @returns null when there is none.
 * @throws {StepFailure} `agent_files_invalid` with every problem of the file, each at its line and column; for a name that no
 *   file can have; for a link that leads out of the project; for more than `MAX_FILE_BYTES`.
 */
export async function readInstruction(project: string, kind: InstructionKind, name: string): Promise<Instruction | null> {
  if (!isFileName(name)) throw invalid(`A ${kind} cannot be called ${JSON.stringify(name)}: a name is ${URL_SAFE_WORDS}.`);
  const path = pathOf(kind, name);
  const bytes = await bytesOf(project, path);
  if (bytes === null) return null;

  const { text, matter } = partsOf(decoded(bytes, path), path);
  const problems = new Problems();
  const settings = settingsOf(matter, problems, { kind, name });
  const found = problems.list();
  if (kind === "skill" && text === "") found.push({ path: "", message: "Nothing stands below its front matter." });
  if (found.length > 0) throw invalid(found.map((problem) => placed(path, problem)).join("; "));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { file: { kind, name, path, sha256 }, settings, body: text };
}

export function invalid(message: string, options?: ErrorOptions): StepFailure {
  return new StepFailure("agent_files_invalid", message, undefined, options);
}

async function bytesOf(project: string, path: string): Promise<Buffer | null> {
  try {
    const [top, real] = await Promise.all([realpath(project), realpath(join(project, path))]);
    if (!real.startsWith(top + sep)) throw invalid(`${path} is a link that leads out of the project.`);
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw invalid(`${path} is no file.`);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FILE_BYTES + 1), 0, MAX_FILE_BYTES + 1, 0);
      if (bytesRead > MAX_FILE_BYTES) throw invalid(`${path} is larger than ${MAX_FILE_BYTES / 1024} KiB.`);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    const { code, message } = error as NodeJS.ErrnoException; // of the file system
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw invalid(`${path} cannot be read: ${message}`, { cause: error });
  }
}

function decoded(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\r\n", "\n");
  } catch (cause) {
    throw invalid(`${path} is no text in UTF-8.`, { cause });
  }
}

/** Front matter stands between two lines of `---` at the top. Its lines are kept where they are, so that problems name them. */
function partsOf(text: string, path: string): { matter: string; text: string } {
  const lines = text.split("\n");
  if (lines[0]?.trimEnd() !== "---") return { matter: "", text: text.trim() };
  const end = lines.findIndex((line, i) => i > 0 && line.trimEnd() === "---");
  if (end < 0) throw invalid(`${path}:1:1 The front matter that begins here has no end: close it by a line of ---.`);
  return {
    matter: ["", ...lines.slice(1, end)].join("\n"),
    text: lines
      .slice(end + 1)
      .join("\n")
      .trim(),
  };
}

function settingsOf(matter: string, problems: Problems, { kind, name }: { kind: InstructionKind; name: string }): Settings {
  const fields = fieldsIn(matter, problems, kind);
  if (!fields) return {};
  const settings = kind === "skill" ? ofSkill(fields, name) : ofAgent(fields, kind);
  fields.rest();
  return settings;
}

function fieldsIn(matter: string, problems: Problems, kind: InstructionKind): Fields | undefined {
  const what = `the front matter of a ${kind}`;
  const reading = { problems, references: { marks: [], toRef: () => "No references stand here." } };
  const start = { path: "", line: 1, column: 1 };
  if (matter.trim() === "") return new Fields({ ...start, kind: "map", entries: [] }, reading, what);
  const lines = new Lines(matter);
  try {
    const root = readYaml(matter, lines, problems);
    return problems.some ? undefined : fieldsOf(root, reading, what);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    problems.add({ path: error.path, ...lines.at(error.offset) }, error.message);
    return undefined;
  }
}

function ofAgent(fields: Fields, kind: InstructionKind): Settings {
  return {
    ...(kind === "role" && { description: fields.text("description"), provider: providerAt(fields) }),
    model: fields.text("model", { max: 200 }),
    permission: fields.oneOf("permission", Permission.options),
    skills: fields.texts("skills", URL_SAFE_NAME),
  };
}

function providerAt(fields: Fields): AgentName | undefined {
  const said = fields.text("provider");
  const found = said === undefined ? undefined : providerOf(said);
  if (found && "problem" in found) fields.problem("provider", found.problem);
  return found && "provider" in found ? found.provider : undefined;
}

function ofSkill(fields: Fields, folder: string): Settings {
  const name = fields.text(fields.need("name"));
  if (name !== undefined && name !== folder) fields.problem("name", `"name" must be that of its folder, "${folder}".`);
  for (const key of FOR_OTHERS) fields.value(key);
  return { description: fields.text(fields.need("description")) };
}

function placed(path: string, { line, column, message }: Problem): string {
  return line === undefined ? `${path}: ${message}` : `${path}:${line}:${column} ${message}`;
}
