import { z } from "zod";
import { LogLine } from "../contract/log.js";
import type { LiveEvent, LonghaulClient } from "../sdk/client.js";
import { runPath } from "./find-run.js";

/** A piece of a step's output as the live stream tells it. */
export const StepPiece = z.object({ step_id: z.string(), attempt: z.int(), offset: z.int(), output: z.string() });

/** Where the showing of a step's output has come to. */
interface Place {
  /** Pieces of the log that were shown, counted over all attempts. */
  pieces: number;
  attempt: number;
  /** Characters of this attempt that were shown. */
  chars: number;
}

/** Pieces of the log read at once, and at most, when output was missed. */
const CATCH_UP = 100;

/**
 * A run's output by steps, nothing twice and nothing left out: pieces come live, and what was missed (before we came, while the
 * connection was lost, at a step's very end) is read from the log.
 */
export class StepOutput {
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly client: LonghaulClient,
    private readonly runId: string,
  ) {}

  /** What a piece that was told live adds to what was shown of its step. */
  async add({ data }: LiveEvent): Promise<string> {
    const piece = StepPiece.safeParse(data);
    if (!piece.success) return "";
    const { step_id, attempt, offset, output } = piece.data;
    const place = this.placeOf(step_id);
    if (attempt === place.attempt && offset === place.chars) {
      this.places.set(step_id, { pieces: place.pieces + 1, attempt, chars: offset + output.length });
      return output;
    }
    const isOld = attempt < place.attempt || (attempt === place.attempt && offset < place.chars);
    return isOld ? "" : this.rest(step_id);
  }

  /** What the log has of a step and was not shown; of very much, the end, after a line that says so. */
  async rest(stepId: string): Promise<string> {
    const place = this.placeOf(stepId);
    const query = { step_id: stepId, limit: CATCH_UP };
    const { data, page } = await this.client.list(runPath(this.runId, "/logs"), LogLine, query);
    const missing = data.slice(0, Math.max(0, page.total - place.pieces)).toReversed();
    const left = page.total - place.pieces - missing.length;
    let { attempt, chars } = place;
    let text = left > 0 ? `… what came before: longhaul logs ${this.runId} --step ${stepId}\n` : "";
    for (const line of missing) {
      const whole = line.stream === "log" ? `${line.text}\n` : line.text;
      chars = (line.attempt ?? attempt) === attempt ? chars + whole.length : whole.length;
      attempt = line.attempt ?? attempt;
      text += whole;
    }
    this.places.set(stepId, { pieces: Math.max(place.pieces, page.total), attempt, chars });
    return text;
  }

  private placeOf(stepId: string): Place {
    return this.places.get(stepId) ?? { pieces: 0, attempt: 1, chars: 0 };
  }
}
