import { CommanderError } from "commander";
import { ApiError, UnexpectedAnswerError, UnreachableError } from "../sdk/client.js";
import { CliError, EXIT } from "./exit.js";
import { say } from "./output.js";

/** Says in sentences what went wrong, and gives the code to end with. */
export function report(error: unknown): number {
  // Commander has said it, or was asked for help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UnreachableError) {
    say(`${error.message} Start Longhaul with \`longhaul start\`, or set LONGHAUL_URL or LONGHAUL_PORT to where it runs.`);
    return EXIT.noConnection;
  }
  if (error instanceof ApiError) return reportAnswer(error);
  if (error instanceof CliError) {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof UnexpectedAnswerError) say(error.message);
  else
    say(
      error instanceof Error
        ? process.env.LONGHAUL_LOG === "debug"
          ? (error.stack ?? error.message)
          : error.message
        : String(error),
    );
  return EXIT.failed;
}

/** A problem as compilers write it: `file:line:column: message`. */
export function problemLine({ path, message, line, column }: Placed): string {
  const place = [path, line, column].filter((part) => part !== undefined && part !== null && part !== "").join(":");
  return place === "" ? message : `${place}: ${message}`;
}

interface Placed {
  path: string;
  message: string;
  line?: number | null | undefined;
  column?: number | null | undefined;
}

/** Refusals of what this person asks, not of where it comes from. */
const NOT_THEIRS = ["not_approver", "not_allowed"];

function reportAnswer({ status, code, message, problems }: ApiError): number {
  say(message);
  // A single problem is often the sentence itself.
  for (const problem of problems) if (!message.includes(problem.message) || problem.line) say(`  ${problemLine(problem)}`);
  if (status === 401) say("Set LONGHAUL_TOKEN to the token of that Longhaul, or LONGHAUL_HOME to its home on this machine.");
  if (status === 404) return EXIT.notFound;
  if (NOT_THEIRS.includes(code)) return EXIT.failed;
  if (status === 401 || status === 403 || status === 503) return EXIT.noConnection;
  return status === 400 || status === 413 || status === 422 ? EXIT.usage : EXIT.failed;
}
