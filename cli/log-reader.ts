import { LogLine } from "../contract/log.js";
import { MAX_LIMIT } from "../contract/page.js";
import type { LonghaulClient } from "../sdk/client.js";
import { runPath } from "./find-run.js";

/** A run's log in the order it was written, piece by piece as it grows. */
export class LogReader {
  /** Pieces that were given out or passed over. */
  private known = 0;

  constructor(
    private readonly client: LonghaulClient,
    private readonly runId: string,
    private readonly filter: { step_id?: string | undefined; level?: string | undefined } = {},
  ) {}

  /** The pieces that came since the last time, oldest first. @param most of them, from the end. @default all */
  async next(most = Number.POSITIVE_INFINITY): Promise<LogLine[]> {
    const found: LogLine[] = [];
    let wanted = most;
    let total: number | undefined;
    let cursor: string | undefined;
    do {
      // The newest come first.
      const query = { ...this.filter, limit: MAX_LIMIT, cursor };
      const { data, page } = await this.client.list(runPath(this.runId, "/logs"), LogLine, query);
      total ??= page.total;
      wanted = Math.min(most, total - this.known);
      found.push(...data);
      cursor = page.next_cursor ?? undefined;
    } while (found.length < wanted && cursor !== undefined);
    this.known = total;
    return found.slice(0, Math.max(0, wanted)).toReversed();
  }
}
