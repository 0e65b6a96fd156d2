import type { ApiContext } from "./context.js";
import { prune } from "./prune.js";

/** After a start, so that whoever only looks in is not held up. */
const FIRST_MS = 5 * 60_000;
const EVERY_MS = 60 * 60_000;

/** Removes once an hour what has been kept long enough. */
export class RetentionTimer {
  private timer: NodeJS.Timeout | undefined;
  private pass: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: ApiContext,
    private readonly firstMs = FIRST_MS,
    private readonly everyMs = EVERY_MS,
  ) {}

  start(): void {
    this.wait(this.firstMs);
  }

  /** Resolves when nothing of a pass is under way. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.pass;
  }

  private wait(ms: number): void {
    this.timer = setTimeout(() => {
      this.pass = this.look().finally(() => {
        if (this.timer) this.wait(this.everyMs);
      });
    }, ms);
    this.timer.unref();
  }

  private async look(): Promise<void> {
    const { config, log } = this.context;
    try {
      const { totals } = await prune(this.context, { dryRun: false, keep: config.keep, user_id: null });
      const removed = totals.filter(({ runs }) => runs > 0);
      if (removed.length > 0) log.info({ removed }, "What had been kept long enough is removed.");
    } catch (error) {
      log.warn({ err: error }, "What has been kept long enough was not looked for; it will be in an hour.");
    }
  }
}
