import type { Command } from "commander";
import type { Json } from "../../contract/json.js";
import { Project } from "../../contract/project.js";
import { type ProjectSettings, SettingsChange } from "../../contract/project-settings.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { readJson } from "../input.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";

const PROJECT = "id, name or folder; . is the one we are in";

/** `longhaul projects list|show|set`. */
export function addProjects(program: Command): void {
  const group = program.command("projects").description("the projects, and what their steps may do");
  withFormat(group.command("list")).description("list them").action(list);
  withFormat(group.command("show").argument("[project]", PROJECT, "."))
    .description("show one's settings")
    .action(show);
  withFormat(group.command("set").argument("<project>", PROJECT).argument("<key=value...>", "of: name, or a setting"))
    .description("change its settings; several values with commas between them, none to take a setting back")
    .action(set);
}

async function list({ format }: FormatOption): Promise<void> {
  const projects = await connect().all("/api/projects", Project);
  if (format === "json") return printJson(projects);
  if (projects.length === 0) return say("There are no projects yet. `longhaul init` in a repository makes one.");
  printTable(projects, [
    { title: "ID", text: ({ id }) => id },
    { title: "NAME", text: ({ name }) => name },
    { title: "PATH", text: ({ path }) => path, shrinks: true },
  ]);
}

async function show(given: string, { format }: FormatOption): Promise<void> {
  showProject(await findProject(connect(), given), format);
}

async function set(given: string, pairs: string[], { format }: FormatOption): Promise<void> {
  const change = changeOf(pairs);
  const client = connect();
  const { id } = await findProject(client, given);
  showProject(await client.patch(`/api/projects/${id}`, Project, change), format);
}

function showProject(project: Project, format: FormatOption["format"]): void {
  if (format === "json") {
    printJson(project);
    return;
  }
  print(`${project.name} (${project.id})`);
  for (const [key, value] of Object.entries(project.settings)) print(`  ${key}=${shown(value)}`);
}

function shown(value: ProjectSettings[keyof ProjectSettings]): string {
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "");
}

/** @throws {CliError} naming the pair that is none, or whose key is no setting's. */
function changeOf(pairs: readonly string[]): { [key: string]: Json } {
  const settings: { [key: string]: Json } = {};
  const change: { [key: string]: Json } = {};
  for (const pair of pairs) {
    const [, key = "", text = ""] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (key === "name") change.name = text;
    else if (Object.hasOwn(SettingsChange.shape, key)) settings[key] = readSetting(key, text);
    else {
      const known = ["name", ...Object.keys(SettingsChange.shape)].join(", ");
      throw new CliError(EXIT.usage, `${pair} is no setting: write key=value, with one of ${known}.`);
    }
  }
  return Object.keys(settings).length > 0 ? { ...change, settings } : change;
}

function readSetting(key: string, text: string): Json {
  if (text === "") return null;
  if (key === "budget_per_day") return readJson(key, text);
  if (key === "env_allow") return text.split(",").map((name) => name.trim());
  return text === "true" || text === "false" ? text === "true" : text;
}
