import { setTimeout as sleep } from "node:timers/promises";

/** One of the two that are compared. */
export interface Engine {
  /** Start a run over HTTP and wait for its end: when it was asked for, and when each step ran [ms]. */
  run(steps: number): Promise<{ asked: number; times: number[] }>;
}

let runs = 0;

export function rawEngine(url: string): Engine {
  return {
    async run(steps) {
      const id = `raw-${process.pid}-${++runs}`;
      const asked = Date.now();
      await post(`${url}/start`, { id, steps });
      const answer = await fetch(`${url}/result/${id}`);
      return { asked, times: (await answer.json()) as number[] };
    },
  };
}

export async function longhaulEngine(url: string, token: string, path: string): Promise<Engine> {
  const authorization = `Bearer ${token}`;
  await post(`${url}/api/projects`, { path }, authorization);
  const workflow = await ready(url, token);
  return {
    async run(steps) {
      const asked = Date.now();
      const { id } = (await post(`${url}/api/workflows/${workflow}/execute`, { input: { steps } }, authorization)).data as {
        id: string;
      };
      await ended(`${url}/api/runs/${id}/events?after=0`, authorization);
      const { data: row } = (await get(`${url}/api/runs/${id}`, authorization)) as { data: Row };
      if (row.status !== "completed") throw new Error(`The run ${row.status}: ${row.error_message}`);
      return { asked, times: row.output as number[] };
    },
  };
}

interface Row {
  status: string;
  output: unknown;
  error_message: string | null;
}

/** The benchmark's workflow as it is registered now; revision 0 until it is. */
export async function workflowRow(url: string, token: string): Promise<{ id: string; revision: number }> {
  const { data } = (await get(`${url}/api/workflows?q=ticks`, `Bearer ${token}`)) as {
    data: { id: string; name: string; revision: number }[];
  };
  return data.find(({ name }) => name === "ticks") ?? { id: "", revision: 0 };
}

async function ready(url: string, token: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const { id, revision } = await workflowRow(url, token);
    if (revision > 0) return id;
    await sleep(50);
  }
  throw new Error("The benchmark's workflow did not load.");
}

/** A run's event stream ends with the run. */
/** Resolves when the run has. */
export async function ended(url: string, authorization: string): Promise<void> {
  const answer = await fetch(url, { headers: { authorization, accept: "text/event-stream" } });
  await answer.body?.pipeTo(new WritableStream());
}

export async function post(url: string, body: unknown, authorization = ""): Promise<{ data?: unknown }> {
  const headers = { "content-type": "application/json", ...(authorization ? { authorization } : {}) };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { data?: unknown };
}

export async function get(url: string, authorization: string): Promise<unknown> {
  const answer = await fetch(url, { headers: { authorization, accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
