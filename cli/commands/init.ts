import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { type Command, Option } from "commander";
import { Project } from "../../contract/project.js";
import { packageRoot } from "../../package-root.js";
import { UnreachableError } from "../../sdk/client.js";
import { calledFrom, connect } from "../connection.js";
import { projectFolder } from "../find-project.js";
import { git } from "../git.js";
import { print, say } from "../output.js";

const DEFINITIONS = ".agent/workflows/definitions";

/** `longhaul init`: a first workflow in the repository we are in, and the repository among the projects. */
export function addInit(program: Command): void {
  const format = new Option("--format <format>", "what it is written in");
  program
    .command("init")
    .description("make a first workflow, hello, in this repository, and add it to the projects")
    .addOption(format.choices(["typescript", "yaml"]).default("typescript"))
    .action(init);
}

async function init({ format }: { format: "typescript" | "yaml" }): Promise<void> {
  const folder = projectFolder(calledFrom());
  const definitions = join(folder, DEFINITIONS);
  const there = ["hello.ts", "hello.yaml"].map((name) => join(definitions, name)).find((file) => existsSync(file));
  const file = there ?? join(definitions, format === "yaml" ? "hello.yaml" : "hello.ts");
  if (there) {
    say(`${relative(folder, there)} is there already, and stays as it is.`);
  } else {
    mkdirSync(definitions, { recursive: true });
    writeFileSync(file, firstWorkflow(basename(file), definitions), { flag: "wx" });
    say("Made a workflow that says hello.");
  }
  print(file);
  adviseOnGit(folder);
  await register(folder);
}

/** The example of that name; for YAML after a line that tells editors what may stand in it. */
function firstWorkflow(name: string, folder: string): string {
  const text = readFileSync(join(packageRoot, "examples", name), "utf8");
  if (!name.endsWith(".yaml")) return text;
  const schema = join(packageRoot, "schemas/phases.schema.json");
  const from = schema.includes(`${sep}node_modules${sep}`) ? relative(folder, schema) : schema;
  return `# yaml-language-server: $schema=${from}\n${text}`;
}

function adviseOnGit(folder: string): void {
  if (git(folder, "rev-parse", "--git-dir") === undefined) {
    say("There is no git repository here: runs will work in this very folder. With `git init` each gets a tree of its own.");
  } else if (git(folder, "rev-parse", "--verify", "HEAD") === undefined) {
    say('The repository has no commit yet, and runs begin from one: git commit --allow-empty -m "Begin"');
  }
}

async function register(path: string): Promise<void> {
  try {
    const project = await connect().post("/api/projects", Project, { path });
    say(`The project is ${project.name}. Now: longhaul run hello --watch`);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    say("Longhaul does not run yet. Now: longhaul start, and in another terminal, here: longhaul run hello --watch");
  }
}
