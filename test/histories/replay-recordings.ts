import { partingOf } from "../../worker/compare-replays.js";
import { type Build, replayWith } from "../../worker/replays-of-build.js";
import type { Recording } from "./recording.js";

/** Replay recorded runs with a build. @returns where they would go another way, one line a run: `name (run): file:line: what` */
export async function partings(build: Build, all: readonly Recording[], home: string): Promise<string[]> {
  const found: string[] = [];
  const most = Math.max(...all.map(({ executions }) => executions.length));
  for (let part = 0; part < most; part++) {
    const having = all.filter(({ executions }) => executions.length > part);
    const runs = having.flatMap(({ run_id, executions }) => {
      const one = executions[part];
      return one ? [{ runId: run_id, history: one.history }] : [];
    });
    const replayed = await replayWith(build, runs, { home });
    for (const { name, run_id, executions } of having) {
      const [was, now] = [executions[part], replayed.get(run_id)];
      if (!was || !now) throw new Error(`${name} was not replayed.`);
      const parting = partingOf({ ...was, error: null }, now, was.history);
      if (!parting) continue;
      const { place } = parting.step ?? was.steps.at(-1) ?? { place: null };
      found.push(`${name} (${run_id}): ${place ? `${place.file}:${place.line}: ` : ""}${parting.message}`);
    }
  }
  return found;
}
