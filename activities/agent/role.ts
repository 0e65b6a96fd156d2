import type { Call } from "../../contract/activity.js";
import type { AgentName } from "../../contract/agent-provider.js";
import type { InstructionFile } from "../../contract/instruction-file.js";
import type { ProjectSettings } from "../../contract/project-settings.js";
import { DEFAULT_PROVIDER, providerOf } from "../../definition/providers.js";
import { StepFailure } from "../failure.js";
import type { LogStream } from "../log-stream.js";
import type { Work } from "../perform.js";
import type { AgentInput } from "./index.js";
import { type Instruction, invalid, isFileName, pathOf, readInstruction } from "./instruction-file.js";

/** What an agent is asked, with all that its role, profile and skills say of it. */
export interface AgentTask extends AgentInput {
  provider: AgentName;
  instructionFiles?: InstructionFile[];
}

/** Of all files of one step. */
const MAX_BYTES = 256 * 1024;

/**
 * Look up an agent's role, profile and skills in the project. What the step says itself beats the profile, which beats the role;
 * their texts stand one after the other in the system prompt: role, profile, skills, and what the step adds.
 *
 * They are read from the project's folder and not from the run's tree, in which agents write: none can leave its successor other
 * instructions or more permissions.
 *
 * A role without a file is the word alone, and a warning in the log.
 *
 * @throws {StepFailure} `agent_files_invalid`, before anything is asked: a profile or skill without a file, or a file that is not right.
 */
export async function withInstructions(
  { run, input }: Call<AgentInput>,
  { log, settings }: Pick<Work, "log" | "settings">,
): Promise<AgentTask> {
  const { project_path: project } = run;
  const role = input.role === undefined ? null : await roleOf(project, input.role, log);
  const profile = [undefined, "default"].includes(input.profile) ? null : await needed(project, "profile", input.profile ?? "");
  const [by, names = []] = skillsOf(input, [profile, role]);
  const skills: Instruction[] = [];
  for (const name of new Set(names)) skills.push(await needed(project, "skill", name, by));

  const read = [role, profile, ...skills].filter((each) => each !== null);
  const texts = [
    role?.body || (input.role === undefined ? undefined : `You work as the ${input.role} specialist of a software team.`),
    profile?.body,
    ...skills.map(skillText),
    input.systemPrompt,
  ].filter((text) => text !== undefined && text !== "");
  refuseTooMuch(read);
  for (const { file } of read) log.write("log", `(${file.kind} ${file.name}: ${file.path}, sha256 ${file.sha256})\n`);

  const model = input.model ?? profile?.settings.model ?? role?.settings.model;
  const { permission: ofProfile } = profile?.settings ?? {};
  const permission = input.permission ?? ofProfile ?? role?.settings.permission ?? input.defaultPermission;
  return {
    ...input,
    provider: input.provider ?? role?.settings.provider ?? providerOfProject(settings),
    ...(model === undefined ? {} : { model }),
    ...(permission === undefined ? {} : { permission }),
    ...(texts.length === 0 ? {} : { systemPrompt: texts.join("\n\n") }),
    ...(read.length === 0 ? {} : { instructionFiles: read.map(({ file }) => file) }),
  };
}

/** It could run when it was set, and may be no more. */
function providerOfProject({ default_provider: name }: ProjectSettings): AgentName {
  if (name === null) return DEFAULT_PROVIDER;
  const found = providerOf(name);
  if ("provider" in found) return found.provider;
  throw new StepFailure("agent_unsupported", `The project's default_provider: ${found.problem}`);
}

/** Null, with a warning, when there is no such file. */
async function roleOf(project: string, name: string, log: LogStream): Promise<Instruction | null> {
  const found = isFileName(name) ? await readInstruction(project, "role", name) : null;
  if (found) return found;
  const where = isFileName(name) ? `no file ${pathOf("role", name)}` : "no file, as no file is called so";
  log.write("log", `The role ${JSON.stringify(name)} has ${where}: the agent is told the word alone.\n`, "warn");
  return null;
}

async function needed(project: string, kind: "profile" | "skill", name: string, by?: string): Promise<Instruction> {
  const found = await readInstruction(project, kind, name);
  if (found) return found;
  throw invalid(`There is no file ${pathOf(kind, name)} in the project, and ${by ?? "the step"} names the ${kind} "${name}".`);
}

/** The skills, and the file that names them where it is not the step. */
function skillsOf(input: AgentInput, files: (Instruction | null)[]): [by: string | undefined, skills: string[] | undefined] {
  if (input.skills) return [undefined, input.skills];
  const naming = files.find((each) => each?.settings.skills);
  return [naming?.file.path, naming?.settings.skills];
}

function skillText({ file, settings, body }: Instruction): string {
  return `<skill name="${file.name}">\n${settings.description}\n\n${body}\n</skill>`;
}

function refuseTooMuch(read: Instruction[]): void {
  const bytes = read.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  if (bytes <= MAX_BYTES) return;
  const paths = read.map(({ file }) => file.path).join(", ");
  throw invalid(`What an agent is told may have ${MAX_BYTES / 1024} KiB in all, and this is more: ${paths}.`);
}
