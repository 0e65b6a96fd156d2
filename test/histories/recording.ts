import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import proto from "@temporalio/proto";
import { packageRoot } from "../../package-root.js";
import { historyFrom } from "../../worker/recorded-history.js";
import type { History } from "../../worker/replayer.js";
import type { ToldStep } from "../../worker/told-steps.js";

/** A run as it was recorded. */
export interface Recording {
  name: string;
  shows: string;
  run_id: string;
  status: string;
  /** Of each of its Temporal executions, in turn: what happened, and the steps that it tells, with their lines. */
  executions: { history: History; steps: ToldStep[]; ended: string | null }[];
}

const FOLDER = join(packageRoot, "test/histories/recorded");
const ENDING = ".json.gz";
/** The key that the recorded runs' payloads are signed with; it signs nothing else. */
const KEY = join(FOLDER, "payload-key");

/** All recordings, by name. */
export function recordings(): Recording[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(ENDING));
  return files.sort().map((file) => {
    const { executions, ...rest } = JSON.parse(gunzipSync(readFileSync(join(FOLDER, file))).toString());
    return {
      ...rest,
      executions: executions.map((one: object) => ({ ...one, history: historyFrom((one as { history: string }).history) })),
    };
  });
}

/** Make a home whose key verifies what was recorded. */
export function homeOfRecordings(home: string): string {
  mkdirSync(join(home, "keys"), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, "keys/payload"), readFileSync(KEY), { mode: 0o600 });
  return home;
}

/** Begin anew: whatever was recorded before is gone. @param home whose key signed what is to be recorded */
export function clearRecordings(home: string): void {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(KEY, readFileSync(join(home, "keys/payload")));
}

/** Who did what on which machine is left out: it is of no use, and other each time. */
export function keep(recording: Recording): void {
  const executions = recording.executions.map(({ history, ...rest }) => ({ ...rest, history: textOf(history) }));
  writeFileSync(join(FOLDER, `${recording.name}${ENDING}`), gzipSync(JSON.stringify({ ...recording, executions }), { level: 9 }));
}

function textOf(history: History): string {
  const { History } = proto.temporal.api.history.v1;
  const plain = History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });
  return JSON.stringify(plain, (key, value) => (key === "identity" ? undefined : value));
}
