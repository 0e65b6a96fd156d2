import { and, desc, eq, inArray, notInArray, sql } from "drizzle-orm";
import { isFinished, RunStatus } from "../contract/run.js";
import type { StepKind, StepStatus } from "../contract/step.js";
import type { Database } from "./database.js";
import { projects, runs, steps, workflows } from "./schema.js";

/** A run whose history says what it has done. */
export interface RecordedRunRow {
  id: string;
  status: RunStatus;
  workflow_id: string;
  workflow_name: string;
  revision: number;
  /** Where its folder is. */
  project_path: string;
}

const FINISHED = RunStatus.options.filter(isFinished);

/** All open runs of a workflow, or of all, and of each workflow the last that have finished; in this order, the newest first. */
export async function recordedRuns(
  db: Database,
  { workflow_id, closed }: { workflow_id?: string | undefined; closed: number },
): Promise<RecordedRunRow[]> {
  const wanted = workflow_id === undefined ? undefined : eq(runs.workflowId, workflow_id);
  const columns = {
    id: runs.id,
    status: runs.status,
    workflow_id: runs.workflowId,
    workflow_name: workflows.name,
    revision: runs.workflowRevision,
    project_path: projects.path,
  };
  const rank = sql<number>`row_number() over (partition by ${runs.workflowId} order by ${runs.createdAt} desc, ${runs.id} desc)`;
  const ranked = db.orm
    .select({ id: runs.id, rank: rank.as("rank") })
    .from(runs)
    .where(and(wanted, inArray(runs.status, FINISHED)))
    .as("ranked");
  const last = db.orm.select({ id: ranked.id }).from(ranked).where(sql`${ranked.rank} <= ${closed}`);
  const select = () =>
    db.orm
      .select(columns)
      .from(runs)
      .innerJoin(workflows, eq(workflows.id, runs.workflowId))
      .innerJoin(projects, eq(projects.id, runs.projectId));
  const open = await select()
    .where(and(wanted, notInArray(runs.status, FINISHED)))
    .orderBy(desc(runs.createdAt), desc(runs.id));
  return [...open, ...(await select().where(inArray(runs.id, last)).orderBy(desc(runs.createdAt), desc(runs.id)))];
}

/** A step's row, as far as a replay tells it, too. */
export interface RecordedStep {
  id: string;
  number: number;
  key: string;
  kind: StepKind;
  iteration: number;
  status: StepStatus;
}

/** The steps that were begun in one of a run's Temporal executions, in their order. */
export async function recordedSteps(db: Database, runId: string, execution: string): Promise<RecordedStep[]> {
  return db.orm
    .select({
      id: steps.id,
      number: steps.stepNumber,
      key: steps.stepKey,
      kind: steps.kind,
      iteration: steps.iteration,
      status: steps.status,
    })
    .from(steps)
    .where(and(eq(steps.runId, runId), eq(steps.execution, execution)))
    .orderBy(steps.stepNumber);
}
