import { type Command, Option } from "commander";
import { LOG_LEVELS } from "../../contract/log-level.js";
import { isFinished } from "../../contract/run.js";
import type { LonghaulClient } from "../../sdk/client.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findRun, findStep, RUN_ARGUMENT } from "../find-run.js";
import { followRun } from "../follow-run.js";
import { LogPrinter } from "../log-printer.js";
import { LogReader } from "../log-reader.js";
import { type FormatOption, wholeNumber, withFormat } from "../options.js";
import { say } from "../output.js";
import { patiently } from "../patience.js";

interface LogsOptions extends FormatOption {
  step?: string;
  level?: string;
  tail?: number;
  follow?: boolean;
}

/** `longhaul logs <run>`: what a run's steps wrote, in the order they wrote it. */
export function addLogs(program: Command): void {
  const level = new Option("--level <level>", "this level and all above");
  withFormat(program.command("logs").argument("<run>", RUN_ARGUMENT))
    .description("print what a run's steps wrote; json is one piece a line")
    .option("--step <step>", "of this step alone: its key, number or id")
    .addOption(level.choices(LOG_LEVELS))
    .option("--tail <number>", "only so many pieces from the end", wholeNumber(1))
    .option("-f, --follow", "go on with what is written, until the run has finished")
    .action(logs);
}

async function logs(given: string, options: LogsOptions): Promise<void> {
  const client = connect();
  const run = await findRun(client, given);
  const step = options.step === undefined ? undefined : findStep(run, options.step);
  const page = new LogPrinter(run.steps, options.format);
  const log = new LogReader(client, run.id, { step_id: step?.id, level: options.level });
  for (const line of await log.next(options.tail)) page.print(line);
  if (options.follow && !isFinished(run.status)) await follow(client, run.id, { log, page });
  page.end();
}

async function follow(client: LonghaulClient, id: string, { log, page }: { log: LogReader; page: LogPrinter }): Promise<void> {
  const stop = new AbortController();
  const goesOn = `The run goes on. \`longhaul logs ${id} --follow\` comes back to it.`;
  const interrupt = () => stop.abort(new CliError(EXIT.interrupted, goesOn));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const show = async () => {
    for (const line of await patiently(() => log.next(), stop.signal)) page.print(line);
  };
  try {
    const onLost = () => say("The connection is lost. Waiting for the server …");
    for await (const event of followRun(client, id, { signal: stop.signal, onLost })) {
      page.learn(event);
      if (event.type.startsWith("workflow.step.")) await show();
    }
    await show();
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
