import { createHash } from "node:crypto";
import { isAbsolute, relative } from "node:path";
import canonicalize from "canonicalize";
import type { Json, JsonObject } from "../../contract/json.js";
import { placeInside } from "../inside.js";

/** What stands for a tool's call when it is compared with others. */
export interface PermitKind {
  /** This very call. */
  call: string;
  /** All calls that a consent for the run allows. */
  rule: string;
  /** The same in words. */
  words: string;
}

/** Programs whose second word says what they do, and whose further words only say on what. */
const WITH_COMMANDS = new Set(
  "apt apt-get brew bun cargo docker dotnet gh git go gradle helm kubectl make mvn npm pip pip3 pnpm poetry systemctl terraform uv yarn".split(
    " ",
  ),
);

/** What a shell does besides starting one program. */
const SHELL_SYNTAX = /[;&|<>`$(){}\\\n\r]/;

/** Of an agent's own words on a call, which say nothing of what it does. */
const REMARKS = new Set(["description", "timeout"]);

/**
 * What a request of an agent is compared by, of whatever provider: a command by its first words, a file by whether it is in the run's
 * tree, an address by its host, all else by the tool.
 */
export async function kindOf(tool: string, input: Json, tree: string): Promise<PermitKind> {
  const fields = typeof input === "object" && input !== null && !Array.isArray(input) ? input : {};
  const call = createHash("sha256")
    .update(canonicalize([tool, withoutRemarks(fields, input)]) ?? "")
    .digest("hex");
  const same: PermitKind = { call, rule: `${tool}#${call}`, words: `this very call of ${tool}` };
  const { command } = fields;
  const path = fields.file_path ?? fields.absolute_path ?? fields.notebook_path ?? fields.path;
  if (typeof command === "string") {
    const prefix = prefixOf(command);
    return prefix === undefined ? same : { call, rule: `${tool}(${prefix})`, words: `${tool} of what begins with "${prefix}"` };
  }
  if (typeof path === "string")
    return (await isOfTree(tree, path)) ? { call, rule: `${tool}(tree)`, words: `${tool} on files of the run's tree` } : same;
  if (typeof fields.url === "string") {
    const host = URL.canParse(fields.url) ? new URL(fields.url).host : "";
    return host !== "" ? { call, rule: `${tool}(${host})`, words: `${tool} from ${host}` } : same;
  }
  return { call, rule: tool, words: `every call of ${tool}` };
}

function withoutRemarks(fields: JsonObject, input: Json): Json {
  if (Object.keys(fields).length === 0) return input;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !REMARKS.has(name)));
}

/** `npm run build` of `npm run build -- --watch`; undefined of what is more than one program with one of its known commands. */
function prefixOf(command: string): string | undefined {
  const [program = "", word = "", script = ""] = command.trim().split(/\s+/);
  if (SHELL_SYNTAX.test(command) || !WITH_COMMANDS.has(program)) return undefined;
  if (!/^[a-z][a-z0-9-]*$/.test(word) || ["exec", "x", "dlx"].includes(word)) return undefined;
  if (word !== "run") return `${program} ${word}`;
  return /^[\w][\w:.-]*$/.test(script) ? `${program} ${word} ${script}` : undefined;
}

async function isOfTree(tree: string, path: string): Promise<boolean> {
  const inTree = isAbsolute(path) ? relative(tree, path) : path;
  return placeInside(tree, inTree, {}).then(
    () => true,
    () => false,
  );
}
