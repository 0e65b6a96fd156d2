import { createHash } from "node:crypto";
import type { Promised } from "./evidence.js";
import type { Harness, WatchedRun } from "./harness.js";

const STEPS = 4;

/**
 * Clients that start runs, comment on them and bring files, one after the other, until they are told to stop. A start is asked for until it
 * is answered, as the same request. What was answered with success has to be there, once.
 */
export class Load {
  readonly runs: WatchedRun[] = [];
  readonly promised: Promised[] = [];
  private isOver = false;
  private readonly clients: Promise<unknown>;

  constructor(
    private readonly harness: Harness,
    { clients = 3 } = {},
  ) {
    this.clients = Promise.all(
      Array.from({ length: clients }, (_, n) => this.work(n % 2 === 0 ? "count-shell" : "count-activity")),
    );
    this.clients.catch(() => {}); // `stop` throws it
  }

  /** Returns when all runs are over. */
  async stop(): Promise<void> {
    this.isOver = true;
    await this.clients;
  }

  private async work(workflow: "count-shell" | "count-activity"): Promise<void> {
    while (!this.isOver) {
      const run = await this.harness.count(workflow, STEPS);
      this.runs.push(run);
      for (const n of [1, 2, 3]) await this.comment(run.id, `${n} on ${run.id}`);
      await this.upload(run.id, `a file of ${run.id}`);
      await this.harness.client.finished(run.id);
    }
  }

  private async comment(run_id: string, text: string): Promise<void> {
    await this.tell("comment", run_id, { text }, text);
  }

  private async upload(run_id: string, text: string): Promise<void> {
    const form = new FormData();
    form.append("file", new Blob([text]), "brought.txt");
    await this.tell("artifact", run_id, form, createHash("sha256").update(text).digest("hex"));
  }

  /** Once: neither takes a key that would make it safe to ask again. */
  private async tell(kind: Promised["kind"], run_id: string, body: object, wanted: string): Promise<void> {
    const answer = await this.harness.client.ask("POST", `/api/runs/${run_id}/${kind}s`, { body }).catch(() => undefined);
    if (answer?.status === 201) this.promised.push({ run_id, kind, id: answer.body.data.id, wanted });
  }
}
