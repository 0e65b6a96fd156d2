import { getTableColumns } from "drizzle-orm";
import type { AcceptedFact } from "../contract/fact.js";
import type { Database } from "./database.js";
import { newRun } from "./fact-run.js";
import { eventsOf } from "./projection-tell.js";
import { runs } from "./schema.js";

/**
 * Write a run that begins, with its event, in one statement: a start is what people wait for. Does nothing, and says
 * no, when anything is out of the ordinary: the run is there or was deleted, its project, workflow or user is gone.
 *
 * @param fact storable.
 */
export async function beginAtOnce(db: Database, fact: AcceptedFact & { type: "run.created" }): Promise<boolean> {
  const run = { ...newRun(fact.run), eventSeq: 1 };
  const columns = Object.entries(run).map(([key, value]) => [names.get(key), value]);
  const { rowCount } = await db.pool.query({
    name: "run_begin",
    text: BEGIN,
    values: [
      run.id,
      run.projectId,
      run.workflowId,
      run.userId,
      JSON.stringify(Object.fromEntries(columns)),
      JSON.stringify(eventsOf([fact], run.projectId)),
    ],
  });
  return rowCount === 1;
}

const names = new Map(Object.entries(getTableColumns(runs)).map(([key, { name }]) => [key, name]));
const list = (row = "") => [...names.values()].map((name) => `${row}"${name}"`).join(", ");

/**
 * The run's lock comes first, since `known` locks its rows when all of a joined row is there. What is done while it is
 * waited for cannot be seen: a run that begins meanwhile is in the way of the insert, and one that is deleted meanwhile
 * was there before.
 */
const BEGIN = `
  with held as materialized (
    select pg_advisory_xact_lock(hashtextextended($1, 0))
  ), known as materialized (
    select project.id
    from held, app.projects as project, app.workflows as workflow, app.users as person
    where project.id = $2 and workflow.id = $3 and person.id = $4
      and not exists (select from mirror.runs where id = $1) and not exists (select from app.tombstones where run_id = $1)
    for key share of project, workflow
  ), begun as (
    insert into mirror.runs (${list()})
    select ${list("run.")} from known, jsonb_populate_record(null::mirror.runs, $5::jsonb) as run
    on conflict do nothing
    returning id
  ), told as (
    insert into mirror.events (run_id, seq, key, type, data, at)
    select begun.id, 1, event.key, event.type, event.data, event.at
    from begun, jsonb_to_recordset($6::jsonb) as event (key text, type text, data jsonb, at timestamptz)
  )
  select pg_notify('run_event', id) from begun`;
