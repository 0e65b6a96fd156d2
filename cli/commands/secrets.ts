import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { Project } from "../../contract/project.js";
import { KeptSecret, Secret } from "../../contract/secret.js";
import type { LonghaulClient } from "../../sdk/client.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

interface ProjectOption extends FormatOption {
  project: string;
}

/** `longhaul secrets list|set|remove`: what steps of a project get by name, and nobody sees again. */
export function addSecrets(program: Command): void {
  const group = program.command("secrets").description("the secrets of a project, which its steps name");
  ofProject(group.command("list")).description("list their names").action(list);
  ofProject(group.command("set").argument("<name>", "capital letters, digits and _"))
    .description("set one, or change it; its value is read from stdin")
    .action(set);
  ofProject(group.command("remove").argument("<name>")).description("remove one").action(remove);
}

function ofProject(command: Command): Command {
  return withFormat(command).option("--project <project>", "id, name or folder", ".");
}

async function list({ project, format }: ProjectOption): Promise<void> {
  const client = connect();
  const { id, name } = await findProject(client, project);
  const secrets = await client.all(`/api/projects/${id}/secrets`, Secret);
  if (format === "json") return printJson(secrets);
  if (secrets.length === 0) return say(`${name} has no secrets. \`longhaul secrets set <name>\` sets one.`);
  printTable(secrets, [
    { title: "NAME", text: (secret) => secret.name },
    { title: "SET", text: ({ updated_at }) => ago(updated_at) },
  ]);
}

async function set(name: string, { project, format }: ProjectOption): Promise<void> {
  const client = connect();
  const found = await findProject(client, project);
  const value = readValue(name);
  const { warnings, ...kept } = await client.put(pathOf(found, name), KeptSecret, { value });
  if (format === "json") printJson({ ...kept, warnings });
  else print(`${kept.name} set for ${found.name}`);
  for (const warning of warnings) say(warning);
}

async function remove(name: string, { project, format }: ProjectOption): Promise<void> {
  const client: LonghaulClient = connect();
  const found = await findProject(client, project);
  await client.delete(pathOf(found, name));
  if (format === "json") printJson({ name });
  else print(`${name} removed from ${found.name}`);
}

/** On a command line every user of the machine could read it. The line break that ends most texts is no part of it. */
function readValue(name: string): string {
  if (process.stdin.isTTY) say(`The value of ${name}, ended by Ctrl-D on a line of its own:`);
  const value = readFileSync(0, "utf8").replace(/\r?\n$/, "");
  if (value !== "") return value;
  throw new CliError(EXIT.usage, `Nothing came on stdin. Give the value there: printenv ${name} | longhaul secrets set ${name}`);
}

function pathOf({ id }: Project, name: string): string {
  return `/api/projects/${id}/secrets/${encodeURIComponent(name)}`;
}
