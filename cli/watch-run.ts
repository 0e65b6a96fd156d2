import { z } from "zod";
import { Comment } from "../contract/comment.js";
import { PROGRESS, RunEvent } from "../contract/event.js";
import { isFinished, RunStatus, type WaitingFor } from "../contract/run.js";
import type { WholeRun } from "../contract/whole-run.js";
import type { LiveEvent, LonghaulClient } from "../sdk/client.js";
import { CliError, EXIT } from "./exit.js";
import { readRun, runPath } from "./find-run.js";
import { followRun } from "./follow-run.js";
import { say } from "./output.js";
import { patiently } from "./patience.js";
import { RunScreen } from "./run-screen.js";
import { StepOutput } from "./step-output.js";
import { duration } from "./times.js";

export interface Watching {
  /** Told each line. */
  print: (line: string) => void;
  /** Milliseconds after which the watching ends, though not the run. */
  timeout?: number | undefined;
  /** Ends the watching, as Ctrl-C does where there is none. */
  signal?: AbortSignal | undefined;
  /** Whether output is shown of steps that were over before we came. @default false */
  fromBegin?: boolean;
}

const OfStep = z.looseObject({ step_id: z.string() });
const OfComment = z.looseObject({ comment_id: z.string() });

/**
 * Shows a run's steps and their output until it has finished. The run goes on whatever becomes of the watching: Ctrl-C ends
 * only that, and says how to come back.
 *
 * @returns the run as it ended.
 * @throws {CliError} `timeout`, `interrupted`.
 */
export async function watchRun(client: LonghaulClient, runId: string, watching: Watching): Promise<WholeRun> {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new CliError(EXIT.interrupted, goesOn(runId)));
  const late = () =>
    stop.abort(new CliError(EXIT.timeout, `It is not over after ${duration(watching.timeout ?? 0)}. ${goesOn(runId)}`));
  const timer = watching.timeout === undefined ? undefined : setTimeout(late, watching.timeout);
  const given = watching.signal;
  const give = () => stop.abort(given?.reason);
  if (given) given.addEventListener("abort", give, { once: true });
  else process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const live = watching.fromBegin ? 0 : await lastSeq(client, runId);
    const view = new RunView(client, runId, { screen: new RunScreen(watching.print), live, signal: stop.signal });
    const onLost = () => say("The connection is lost. The run goes on; waiting for the server …");
    const onBack = () => say("Connected again.");
    for await (const event of followRun(client, runId, { signal: stop.signal, onLost, onBack })) {
      await view.show(event);
      stop.signal.throwIfAborted();
    }
    return await patiently(() => readRun(client, runId), stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
    given?.removeEventListener("abort", give);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** What is fetched besides the events, and what is shown of it. */
class RunView {
  private readonly output: StepOutput;

  constructor(
    private readonly client: LonghaulClient,
    private readonly runId: string,
    private readonly shown: { screen: RunScreen; live: number; signal: AbortSignal },
  ) {
    this.output = new StepOutput(client, runId);
  }

  async show(event: LiveEvent): Promise<void> {
    const { screen, live } = this.shown;
    const isLive = event.seq !== undefined && event.seq > live;
    const step = OfStep.safeParse(event.data);
    if (event.type === PROGRESS) {
      if (step.success) screen.output(step.data.step_id, await this.ask(() => this.output.add(event)));
      return;
    }
    const closes = event.type === "workflow.step.retrying" || event.type === "workflow.step.completed";
    if (closes && isLive && step.success) {
      const { step_id } = step.data;
      screen.output(step_id, await this.ask(() => this.output.rest(step_id)));
    }
    screen.show(event);
    if (isLive && event.type === "workflow.comment.created") await this.showComment(event);
    if (isLive && event.type === "workflow.execution.status_changed") await this.showStatus(event);
  }

  private ask<T>(question: () => Promise<T>): Promise<T> {
    return patiently(question, this.shown.signal);
  }

  private async showComment({ data }: LiveEvent): Promise<void> {
    const comments = await this.ask(() => this.client.list(runPath(this.runId, "/comments"), Comment, { limit: 100 }));
    const { comment_id } = OfComment.parse(data);
    const found = comments.data.find(({ id }) => id === comment_id);
    if (found) this.shown.screen.comment(found.text);
  }

  private async showStatus({ data }: LiveEvent): Promise<void> {
    const status = RunStatus.safeParse(data.status);
    if (!status.success || isFinished(status.data)) return;
    if (status.data === "paused") this.shown.screen.note(`Paused. \`longhaul resume ${this.runId}\` lets it go on.`);
    if (status.data !== "waiting") return;
    const { waiting_for } = await this.ask(() => readRun(this.client, this.runId));
    if (!waiting_for) return;
    this.shown.screen.note(`Waiting: ${waiting_for.message}${waysOut(this.runId, waiting_for)}`);
  }
}

async function lastSeq(client: LonghaulClient, runId: string): Promise<number> {
  const { data } = await client.list(runPath(runId, "/events"), RunEvent, { limit: 1 });
  return data[0]?.seq ?? 0;
}

/** What lets a run go on that asks a person. */
function waysOut(runId: string, { kind, request }: WaitingFor): string {
  if (kind !== "approval") return "";
  const asked = request === undefined ? runId : `${runId} --request ${request}`;
  return ` \`longhaul approve ${asked}\` or \`longhaul reject ${asked}\``;
}

function goesOn(runId: string): string {
  return `The run goes on. \`longhaul watch ${runId}\` comes back to it, \`longhaul cancel ${runId}\` ends it.`;
}
