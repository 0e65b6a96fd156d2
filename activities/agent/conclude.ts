import type { Call } from "../../contract/activity.js";
import type { AgentSessionRow } from "../../contract/agent-session.js";
import type { RoundsBefore } from "../../contract/halt.js";
import type { Json } from "../../contract/json.js";
import type { DecidedPermit } from "../../contract/permit.js";
import type { CheckResult } from "../../contract/verify.js";
import { StepFailure } from "../failure.js";
import type { Work } from "../perform.js";
import type { SecretMask } from "../secret-mask.js";
import type { AgentValue } from "./index.js";
import { denialsOf, permissionsOf } from "./permit-record.js";
import { takeBack } from "./plan-tree.js";
import type { AgentTask } from "./role.js";
import type { Trail } from "./trail.js";
import { keepTranscript } from "./transcript.js";
import { changedFiles, treeState } from "./tree-state.js";
import type { TurnStart } from "./turn-start.js";
import { describeUnmet, verify } from "./verify.js";
import type { WorkedEnd } from "./within-budget.js";

/** A turn that has ended. */
export interface Talked {
  call: Call<AgentTask>;
  work: Work;
  end: WorkedEnd;
  session: AgentSessionRow;
  trail: Trail;
  secrets: SecretMask;
  /** What people have decided for it. */
  decided: readonly DecidedPermit[];
  /** What another round needs to go on. */
  before: RoundsBefore;
}

const FILES_LISTED = 500;

const SESSION_STATUS = { completed: "completed", failed: "failed", stopped: "cancelled", halted: "running" } as const;

/**
 * What a turn that is over has come to, once the tree was looked at.
 *
 * @throws {StepFailure} with the answer, as far as there is one, as its output.
 */
export async function conclude(talked: Talked, turn: string, start: TurnStart): Promise<AgentValue> {
  const { call, work, end, secrets, decided, before } = talked;
  const { permission, verify: checks = [], instructionFiles } = call.input;
  const mask = secrets.text;
  const after = await treeState(call.run.workspace.path);
  const changed = changedFiles(start.state, after);
  await leave(talked);
  const value: AgentValue = {
    text: mask(end.text),
    ...(end.data === undefined ? {} : { data: secrets.json(end.data) }),
    sessionId: end.sessionId ?? "",
    usage: end.usage,
    filesChanged: changed.slice(0, FILES_LISTED),
    permissionDenials: secrets.json(denialsOf(decided, end.permissionDenials)),
    ...(decided.length > 0 ? { permissions: permissionsOf(decided) } : {}),
    ...(instructionFiles ? { instructionFiles } : {}),
  };
  const wrote = permission === "plan" && (changed.length > 0 || start.state.head !== after.head);
  const putBack = wrote ? await takeBack({ call, work, turn }, start, after) : undefined;
  if (putBack) work.log.write("log", `${putBack}\n`, "warn"); // the failure of a step that was stopped does not say it
  if (end.status === "stopped") throw new StepFailure("cancelled", "The agent was stopped.", { ...value, before }); // perform knows the reason
  if (end.failure) throw new StepFailure(end.failure.type, mask([end.failure.message, putBack].filter(Boolean).join(" ")), value);
  if (wrote) {
    const what = changed.length > 0 ? changed.slice(0, 5).join(", ") : "a commit was made";
    throw new StepFailure("plan_wrote_files", `A step that may only plan changed the tree: ${what}. ${putBack}`, value);
  }
  if (checks.length === 0) return value;
  const verified = (await verify(checks, { call, work, start, after })).map((result) => masked(result, mask));
  if (verified.every(({ ok }) => ok)) return { ...value, verified };
  throw new StepFailure("agent_unverified", describeUnmet(verified), { ...value, verified });
}

/** What the outcome reports besides the value: also when it is a failure. */
export async function leave({ call: { run }, work, session, end, trail, secrets }: Talked): Promise<void> {
  const transcript = end.transcript === null ? null : await keepTranscript(run, session, end.transcript, secrets);
  work.left.artifacts = transcript ? [transcript] : [];
  work.left.tool_calls = trail.rows();
  work.left.sessions = [
    {
      ...session,
      model: end.usage.model ?? session.model,
      provider_session_id: end.sessionId,
      status: SESSION_STATUS[end.status],
      session_file_path: transcript?.file_path ?? null,
      usage: { ...end.usage, worked_ms: end.worked_ms } satisfies Record<string, Json>,
    },
  ];
}

function masked(result: CheckResult, mask: (text: string) => string): CheckResult {
  return { ...result, check: mask(result.check), ...(result.seen === undefined ? {} : { seen: mask(result.seen) }) };
}
