import { statSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import type { Command } from "commander";
import type { FileProblem } from "../../local/validate-file.js";
import { calledFrom } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { projectFolder } from "../find-project.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { problemLine } from "../report.js";

interface ValidateOptions extends FormatOption {
  tools?: true;
}

/** `longhaul validate <file…>`: whether files are workflows, with every problem as compilers write them. */
export function addValidate(program: Command): void {
  withFormat(program.command("validate").argument("<file...>", "files with workflows"))
    .description("check workflow files, without a server; prints problems as file:line:column: message")
    .option("--tools", "check calls of tools by what the servers of .agent/mcp.json offer")
    .action(validate);
}

async function validate(files: string[], { format, tools }: ValidateOptions): Promise<void> {
  const root = calledFrom();
  const missing = files.find((file) => !statSync(resolve(root, file), { throwIfNoEntry: false })?.isFile());
  if (missing !== undefined) throw new CliError(EXIT.notFound, `There is no file ${missing}.`);

  const { validateFile } = await import("../../local/validate-file.js");
  const problems: FileProblem[] = [];
  const right: string[] = [];
  for (const file of files) {
    const found = await validateFile(resolve(root, file), root);
    problems.push(...found);
    if (found.length === 0) right.push(file);
  }
  const misfits = tools ? await toolsOf(right, root) : [];
  problems.push(...misfits);
  for (const file of right)
    if (!misfits.some((problem) => resolve(root, problem.file) === resolve(root, file))) say(`${file} is right.`);
  if (format === "json") printJson(problems);
  else for (const problem of problems) print(problemLine({ ...problem, path: problem.file }));
  if (problems.length > 0) process.exitCode = EXIT.failed;
}

/** Each project's servers are started once. */
async function toolsOf(files: readonly string[], root: string): Promise<FileProblem[]> {
  const { checkTools } = await import("../../local/check-tools.js");
  for (const file of files) if (extname(file) === ".ts") say(`${file}: calls of tools in code are checked when they are made.`);
  const projects = new Map<string, string[]>();
  for (const path of files.filter((file) => extname(file) !== ".ts").map((file) => resolve(root, file))) {
    const project = projectFolder(dirname(path));
    projects.set(project, [...(projects.get(project) ?? []), path]);
  }
  const checked = await Promise.all([...projects].map(([project, paths]) => checkTools(paths, root, project)));
  for (const warning of checked.flatMap(({ warnings }) => warnings)) say(warning);
  return checked.flatMap(({ problems }) => problems);
}
