import type { Command } from "commander";
import type { Finding } from "../../local/doctor.js";
import { calledFrom, settings } from "../connection.js";
import { EXIT } from "../exit.js";
import { projectFolder } from "../find-project.js";
import { type FormatOption, withFormat } from "../options.js";
import { paint, print, printJson, type Style } from "../output.js";

const MARKS: Record<Finding["state"], [string, Style]> = { ok: ["✔", "green"], note: ["–", "yellow"], missing: ["✘", "red"] };

/** `longhaul doctor`: what Longhaul needs on this machine, and what to do where something is missing. */
export function addDoctor(program: Command): void {
  withFormat(program.command("doctor"))
    .description("look at what Longhaul needs here, and say what to do; exit code 1 when something is missing")
    .action(async ({ format }: FormatOption) => {
      const config = settings();
      const { examine } = await import("../../local/doctor.js");
      const findings = await examine(config, projectFolder(calledFrom()));
      if (format === "json") printJson(findings);
      else for (const finding of findings) print(lineOf(finding));
      if (findings.some(({ state }) => state === "missing")) process.exitCode = EXIT.failed;
    });
}

function lineOf({ what, state, says }: Finding): string {
  const [mark, style] = MARKS[state];
  return `${paint(style, mark)} ${what.padEnd(12)} ${says}`;
}
