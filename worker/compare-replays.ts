import type { StepStatus } from "../contract/step.js";
import type { RecordedStep } from "../db/recorded-runs.js";
import type { History } from "./replayer.js";
import type { Replayed, ToldStep } from "./told-steps.js";

const ENDED: readonly StepStatus[] = ["completed", "failed", "skipped", "cancelled"];

/** Where two replays of one run part. */
export interface Parting {
  /** What the run did there; null when it did nothing more. */
  step: ToldStep | null;
  /** What it would do; null when that would be nothing, or cannot be seen. */
  instead: ToldStep | null;
  message: string;
}

/** Whether a replay tells just the steps that rows have, each ended as it is there. */
export function isAsRecorded(rows: readonly RecordedStep[], now: Replayed | undefined): boolean {
  if (!now || now.error !== null || now.steps.length !== rows.length) return false;
  return now.steps.every((step, i) => {
    const row = rows[i];
    return row !== undefined && isSame(step, row) && step.ended === (ENDED.includes(row.status) ? row.status : null);
  });
}

/**
 * Where a run would go another way.
 *
 * @param was its replay by what it was recorded with. @param now by what is to come.
 * @returns null when it would do the same steps, ending the same way, and its history fits.
 */
export function partingOf(was: Replayed, now: Replayed, history: History): Parting | null {
  const at = was.steps.findIndex((step, i) => !isSame(step, now.steps[i]));
  const step = was.steps[at] ?? null;
  const instead = now.steps[at === -1 ? was.steps.length : at] ?? null;
  const because = now.error === null ? "" : ` (${now.error})`;
  if (step && instead) return { step, instead, message: `The run has begun ${named(step)}; it would begin ${named(instead)}.` };
  if (step) return { step, instead, message: `The run has begun ${named(step)}; it would not come to that${because}.` };
  if (instead) return { step: null, instead, message: `The run has begun nothing more; it would begin ${named(instead)}.` };
  if (now.error !== null) {
    const place = stepAt(now.error, history, was.steps);
    return {
      step: place,
      instead: null,
      message: `From ${place ? named(place) : "its beginning"} on, its history does not fit: ${now.error}`,
    };
  }
  const other = was.steps.findIndex(({ ended }, i) => ended !== now.steps[i]?.ended);
  const [before, after] = [was.steps[other], now.steps[other]];
  if (before && after) {
    const message = `${capital(named(before))} ${outcome(before.ended)}; it would have ${after.ended === null ? "gone on" : `ended ${after.ended}`}.`;
    return { step: before, instead: null, message };
  }
  if (was.ended === now.ended) return null;
  const message = `The run ${outcome(was.ended)}; it would have ${now.ended === null ? "gone on" : `ended ${now.ended}`}.`;
  return { step: was.steps.at(-1) ?? null, instead: null, message };
}

function isSame(step: ToldStep, other: Pick<ToldStep, "id" | "number" | "key" | "kind" | "iteration"> | undefined): boolean {
  const { id, number, key, kind, iteration } = step;
  const same = other && other.id === id && other.number === number && other.key === key;
  return (same && other.kind === kind && other.iteration === iteration) ?? false;
}

/** `step 4 "tests" (shell)` */
export function named({ number, key, kind, iteration }: ToldStep): string {
  return `step ${number} ${JSON.stringify(key)} (${kind}${iteration > 1 ? `, its doing number ${iteration}` : ""})`;
}

function outcome(ended: string | null): string {
  return ended === null ? "has not ended" : `ended ${ended}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The step that the event which Temporal names belongs to; the last begun where that cannot be told. */
function stepAt(reason: string, history: History, steps: readonly ToldStep[]): ToldStep | null {
  const id = /HistoryEvent\(id: (\d+)/.exec(reason)?.[1];
  const event = history.events?.find(({ eventId }) => String(eventId) === id);
  const [payload] = event?.activityTaskScheduledEventAttributes?.input?.payloads ?? [];
  const text = textOf(payload?.data);
  const summary = textOf(event?.userMetadata?.summary?.data);
  const found = steps.find(({ id, key }) => text.includes(JSON.stringify(id)) || summary === JSON.stringify(key));
  return found ?? steps.at(-1) ?? null;
}

function textOf(data: Uint8Array | null | undefined): string {
  return data ? Buffer.from(data).toString() : "";
}
