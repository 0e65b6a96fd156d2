import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StepFailure } from "../failure.js";
import { Expansion } from "./expand.js";

/** Where a project says which servers it has. */
export const CONFIG_FILE = ".agent/mcp.json";

const common = { description: z.string().optional(), disabled: z.boolean().optional() };
const texts = z.record(z.string(), z.string());

const Stdio = z.strictObject({
  ...common,
  type: z.literal("stdio").optional(),
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: texts.default({}),
  /** Relative to the project's folder, which is the default. */
  cwd: z.string().min(1).optional(),
});

const Http = z.strictObject({
  ...common,
  type: z.enum(["http", "streamable-http"]).optional(),
  url: z.string().min(1),
  headers: texts.default({}),
});

const File = z.object({ mcpServers: z.record(z.string(), z.unknown()) });

/** How a server is reached, all `${…}` replaced. */
export type Reach =
  | { kind: "stdio"; command: string; args: string[]; env: Record<string, string>; cwd: string }
  | { kind: "http"; url: string; headers: Record<string, string> };

export interface ServerSettings {
  reach: Reach;
  secrets: string[];
  /** `${workspace}` is among them. */
  usesTree: boolean;
}

/** Where a server is to work. */
export interface ToolPlace {
  project_path: string;
  /** The run's own tree. */
  workspace_path: string;
}

/** The servers of a project's `.agent/mcp.json`, each as it stands there: what is wrong with one is found when it is asked for. */
export class ProjectServers {
  private constructor(
    private readonly place: ToolPlace,
    private readonly entries: Readonly<Record<string, unknown>>,
  ) {}

  /** @throws {StepFailure} `tool_config_invalid` when the file as a whole cannot be read. */
  static async read(place: ToolPlace): Promise<ProjectServers> {
    const text = await readFile(join(place.project_path, CONFIG_FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
      throw invalid(`It cannot be read: ${error.message}`);
    });
    if (text === null) return new ProjectServers(place, {});
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw invalid(`It is no JSON: ${(error as SyntaxError).message}.`);
    }
    const parsed = File.safeParse(json);
    if (!parsed.success) throw invalid('It must be an object { "mcpServers": { "a-name": { "command": … } or { "url": … } } }.');
    return new ProjectServers(place, parsed.data.mcpServers);
  }

  get names(): string[] {
    return Object.keys(this.entries);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.entries, name);
  }

  /** @throws {StepFailure} `tool_config_invalid` with every problem of this server. */
  settings(name: string, env: NodeJS.ProcessEnv = process.env): ServerSettings {
    const entry = this.entries[name];
    const isHttp = typeof entry === "object" && entry !== null && "url" in entry;
    const parsed = (isHttp ? Http : Stdio).safeParse(entry);
    if (!parsed.success) {
      const problems = parsed.error.issues.map(({ path, message }) => `${["mcpServers", name, ...path].join(".")}: ${message}`);
      throw invalid(`${problems.join("; ")}.`);
    }
    if (parsed.data.disabled) throw invalid(`The server "${name}" is disabled there.`);
    const { project_path: project, workspace_path: workspace } = this.place;
    const expansion = new Expansion({ project, workspace }, env);
    const reach = "url" in parsed.data ? httpReach(parsed.data, expansion) : stdioReach(parsed.data, expansion, project);
    if (expansion.problems.length > 0) throw invalid(`mcpServers.${name}: ${expansion.problems.join("; ")}.`);
    return { reach, secrets: [...expansion.secrets], usesTree: expansion.usesTree };
  }
}

function httpReach({ url, headers }: z.infer<typeof Http>, expansion: Expansion): Reach {
  const address = expansion.text(url);
  if (!/^https?:$/.test(URL.canParse(address) ? new URL(address).protocol : "")) {
    expansion.problems.push("url is no address that begins with http:// or https://");
  }
  return { kind: "http", url: address, headers: expanded(headers, expansion) };
}

function stdioReach({ command, args, env, cwd }: z.infer<typeof Stdio>, expansion: Expansion, project: string): Reach {
  const folder = cwd === undefined ? project : expansion.text(cwd);
  return {
    kind: "stdio",
    command: expansion.text(command),
    args: args.map((argument) => expansion.text(argument)),
    env: expanded(env, expansion),
    cwd: folder.startsWith("/") ? folder : join(project, folder),
  };
}

function expanded(values: Record<string, string>, expansion: Expansion): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, expansion.text(value)]));
}

function invalid(why: string): StepFailure {
  return new StepFailure("tool_config_invalid", `The project's ${CONFIG_FILE} is not right. ${why}`);
}
