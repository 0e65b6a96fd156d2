import { z } from "zod";
import { TASK_QUEUE } from "../../config.js";
import type { Problem } from "../../contract/errors.js";
import type { ApiContext } from "../context.js";
import { HttpError } from "../problem.js";
import { One, ok, type Route, route } from "../route.js";
import { temporalDeadline } from "../temporal-away.js";

/** Temporal's number for the queue of workflow tasks. */
const WORKFLOW_TASKS = 1;
/** Milliseconds since a worker last asked for work: it asks at least once a minute. */
const FRESH = 70_000;

/** Whether this process answers, and whether runs can be started and will be worked on. */
export function healthRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/healthz",
      summary: "Whether the server answers",
      answers: { 200: One(z.object({ status: z.literal("ok") })) },
      handle: async () => ok({ status: "ok" }),
    }),
    route({
      method: "get",
      path: "/readyz",
      summary: "Whether Postgres, Temporal and a worker answer",
      answers: {
        200: One(
          z.object({ status: z.literal("ready"), postgres: z.literal("ok"), temporal: z.literal("ok"), worker: z.literal("ok") }),
        ),
      },
      handle: async () => {
        const missing = (await Promise.all([postgres(context), temporalAndWorker(context)])).flat();
        if (missing.length === 0) return ok({ status: "ready", postgres: "ok", temporal: "ok", worker: "ok" });
        throw new HttpError(503, "not_ready", missing.map(({ message }) => message).join(" "), { errors: missing });
      },
    }),
  ];
}

async function postgres({ db }: ApiContext): Promise<Problem[]> {
  try {
    await db.pool.query("select 1");
    return [];
  } catch {
    return [{ path: "postgres", message: "Postgres does not answer." }];
  }
}

async function temporalAndWorker({ temporal, namespace }: ApiContext): Promise<Problem[]> {
  try {
    const { pollers } = await temporal.withDeadline(temporalDeadline(), () =>
      temporal.workflowService.describeTaskQueue({ namespace, taskQueue: { name: TASK_QUEUE }, taskQueueType: WORKFLOW_TASKS }),
    );
    const fresh = pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > Date.now() - FRESH);
    return fresh ? [] : [{ path: "worker", message: "No worker asks for work." }];
  } catch {
    return [{ path: "temporal", message: "Temporal does not answer." }];
  }
}
