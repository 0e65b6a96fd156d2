import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { LogLine } from "../../contract/log.js";
import { MAX_LIMIT } from "../../contract/page.js";
import type { Step } from "../../contract/step.js";
import { known, longhaul } from "../client.js";

/** Milliseconds between two looks at the log of a step that writes. */
const LOOK = 700;
/** Pieces of output that are shown: the newest. The whole log is there to download. */
const MOST = 5_000;

interface StepLog {
  /** Of the pieces that there are, shown or not. */
  total: number;
  /** The oldest first. */
  pieces: LogLine[];
}

/** The lines that a step has written so far. */
export function useStepLog(step: Step, isOver: boolean): { lines: string[]; error: unknown } {
  const queryKey = ["log", step.id, isOver];
  const { data, error } = useQuery({
    queryKey,
    queryFn: () => readOn(step, known.getQueryData<StepLog>(["log", step.id, false])),
    placeholderData: keepPreviousData,
    refetchInterval: isOver ? false : LOOK,
  });
  return { lines: data ? linesOf(data.pieces) : [], error };
}

/** What is new since `before`, put behind it. */
async function readOn({ run_id, id }: Step, before: StepLog = { total: 0, pieces: [] }): Promise<StepLog> {
  const newest: LogLine[] = [];
  for (let cursor: string | undefined; ; ) {
    const query = { step_id: id, limit: MAX_LIMIT, cursor };
    const { data, page } = await longhaul.list(`/api/runs/${run_id}/logs`, LogLine, query);
    newest.push(...data);
    cursor = page.next_cursor ?? undefined;
    const missing = page.total - before.total;
    if (cursor !== undefined && newest.length < Math.min(missing, MOST)) continue;
    const added = newest.slice(0, missing).reverse();
    return { total: page.total, pieces: [...before.pieces, ...added].slice(-MOST) };
  }
}

/** A piece of output ends where it was cut, not where a line does; a line of the log itself is one piece. */
function linesOf(pieces: readonly LogLine[]): string[] {
  const text = pieces.map(({ stream, text }) => (stream === "log" ? `${text}\n` : text)).join("");
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
