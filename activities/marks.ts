/** What every child process carries in its environment, so that it is found wherever it went. */
export interface Marks {
  LONGHAUL_RUN_ID: string;
  LONGHAUL_STEP_ID?: string;
  /** The step's attempt, from 1: a command that must not repeat can test it. */
  LONGHAUL_ATTEMPT?: string;
  /** Temporal's run id and activity id: one doing of one operation, whichever attempt. */
  LONGHAUL_OPERATION?: string;
  /** The worker's pid and start: for processes that must not outlive it. */
  LONGHAUL_OWNER?: string;
}
