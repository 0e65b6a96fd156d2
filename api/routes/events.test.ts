import { connect } from "node:net";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FactBody } from "../../contract/fact.js";
import { appendLogChunks } from "../../db/log-chunks.js";
import { applyFacts, applyTogether } from "../../db/projection.js";
import { getRunState } from "../../db/runs.js";
import { type Api, HELLO, startApi, TOKEN } from "../../test/support/api.js";
import { finished, narration, status } from "../../test/support/told-run.js";

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
});

/** Tells a run's facts one call after the other, numbered through. */
async function teller(runId: string) {
  const { header } = await getRunState(api.db, runId);
  let told = 0;
  const tell = async (...bodies: FactBody[]) => {
    await applyFacts(api.db, runId, "execution-1", narration(runId, "execution-1", bodies, { from: told + 1 }));
    told += bodies.length;
  };
  await tell({ type: "run.created", run: header }, status("running"));
  return tell;
}

const comment = (runId: string, n: number, text = `comment ${n}`): FactBody => ({
  type: "comment.created",
  comment: { id: `${runId}-c${n}`, run_id: runId, step_id: null, text, comment_type: "system", metadata: {}, created_by: null },
});

describe("a run's stream", () => {
  test("tells events as they come, in frames, and ends with the run", async () => {
    const id = await api.startRun();
    const frames = follow(`/api/runs/${id}/events`);
    const tell = await teller(id);
    await tell(comment(id, 1, "x\n\nevent: done\ndata: {}"), finished("completed"));

    const all = await frames.ended;
    expect(all.map((frame) => `${frame.id} ${frame.event}`)).toEqual([
      "1 workflow.execution.status_changed",
      "2 workflow.execution.status_changed",
      "3 workflow.comment.created",
      "4 workflow.execution.status_changed",
    ]);
    expect(JSON.parse(all[3]?.data ?? "")).toMatchObject({
      run_id: id,
      seq: 4,
      data: { execution_id: id, project_id: api.project.id, status: "completed" },
    });
  });

  test("has no gap and nothing twice for a client that is cut off 100 times", async () => {
    const id = await api.startRun();
    const tell = await teller(id);
    const seen: number[] = [];
    const telling = (async () => {
      for (let n = 1; n <= 150; n += 1) await tell(comment(id, n));
      await tell(finished("completed"));
    })();
    for (let cut = 0; cut < 100; cut += 1) {
      const last = String(seen.at(-1) ?? 0);
      const frames = follow(`/api/runs/${id}/events`, { "Last-Event-ID": last });
      const cutAt = Math.floor(Math.random() * 3);
      seen.push(...(await frames.some(seen.length < 152 ? cutAt : 0)).map((frame) => Number(frame.id)));
      frames.close();
    }
    await telling;
    seen.push(...(await follow(`/api/runs/${id}/events?after=${seen.at(-1) ?? 0}`).ended).map((frame) => Number(frame.id)));

    expect(seen).toEqual(Array.from({ length: 153 }, (_, i) => i + 1));
  });

  test("tells more than is read at once, and ends at once for who has it all", async () => {
    const id = await api.startRun();
    const tell = await teller(id);
    await tell(...Array.from({ length: 450 }, (_, n) => comment(id, n)), finished("completed"));
    const seen = (await follow(`/api/runs/${id}/events`).ended).map((frame) => Number(frame.id));

    expect(seen).toEqual(Array.from({ length: 453 }, (_, i) => i + 1));
    expect(await follow(`/api/runs/${id}/events?after=453`).ended).toEqual([]);
  });

  test("tells each follower its own run from its own place, however many are told of in one transaction", async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => api.startRun()));
    const streams = ids.flatMap((id) => [
      { id, after: 0 },
      { id, after: 1 },
    ]);
    const followers = streams.map(({ id, after }) => follow(`/api/runs/${id}/events?after=${after}`));
    const narrations = await Promise.all(
      ids.map(async (id, i) => {
        const { header } = await getRunState(api.db, id);
        const comments = Array.from({ length: i }, (_, n) => comment(id, n));
        const bodies: FactBody[] = [{ type: "run.created", run: header }, ...comments, finished("completed")];
        return { runId: id, execution: "execution-1", facts: narration(id, "execution-1", bodies) };
      }),
    );
    await applyTogether(api.db, narrations);
    const seen = await Promise.all(
      followers.map(async ({ ended }) => (await ended).map(({ id, data }) => [id, JSON.parse(data).run_id])),
    );

    const asked = streams.map(({ id, after }) => {
      const last = ids.indexOf(id) + 2;
      return Array.from({ length: last - after }, (_, n) => [String(after + n + 1), id]);
    });
    expect(seen).toEqual(asked);
  });

  test("is not found for a run that is not there", async () => {
    expect((await api.ask("GET", "/api/runs/run_1/events")).status).toBe(404);
  });

  test.each(["-1", "9223372036854775808", "abc", "999999", "run_1"])("refuses %s as a place", async (place) => {
    const id = await api.startRun();

    expect((await api.ask("GET", `/api/runs/${id}/events`, undefined, { "Last-Event-ID": place })).status).toBe(400);
    expect((await api.ask("GET", `/api/runs/${id}/events?after=${place}`)).status).toBe(400);
  });

  test("ends after what is there without follow, and is a list as JSON", async () => {
    const id = await api.startRun();
    const frames = await follow(`/api/runs/${id}/events?follow=false`).ended;
    const list = await api.ask("GET", `/api/executions/${id}/events`, undefined, { Accept: "application/json" });

    expect(frames).toHaveLength(1);
    expect(list.body).toMatchObject({ data: [{ seq: 1, type: "workflow.execution.status_changed" }], page: { total: 1 } });
  });

  test("of all runs has nothing of what was before, when that is asked for", async () => {
    await (await teller(await api.startRun()))(finished("completed"));

    expect(await follow("/api/events?after=latest&follow=false").ended).toEqual([]);
    expect((await follow("/api/events?follow=false").ended).length).toBeGreaterThan(2);
  });

  test("tells output live, without a place", async () => {
    const id = await api.startRun();
    const frames = follow(`/api/runs/${id}/events`);
    await frames.some(1);
    const piece = {
      run_id: id,
      step_id: `${id}-1`,
      attempt: 1,
      stream: "stdout",
      level: "info",
      at: new Date().toISOString(),
    } as const;
    await appendLogChunks(api.db, [
      { ...piece, offset: 0, text: "one\n" },
      { ...piece, offset: 4, text: "two\n" },
    ]);

    const [, first, second] = await frames.some(3);
    expect(first).toMatchObject({ event: "workflow.step.progress" });
    expect(first?.id).toBeUndefined();
    expect(JSON.parse(second?.data ?? "")).toMatchObject({
      run_id: id,
      data: { step_id: `${id}-1`, attempt: 1, offset: 4, output: "two\n" },
    });
    frames.close();
  });

  test("goes on when its connection to Postgres was cut", async () => {
    const id = await api.startRun();
    const frames = follow(`/api/runs/${id}/events`);
    await frames.some(1);
    await api.db.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'longhaul events'");
    const tell = await teller(id);
    await tell(finished("failed"));

    expect((await frames.ended).at(-1)?.id).toBe("3");
  });
});

describe("clients that take nothing", () => {
  test("hold up nobody and fill no memory", async () => {
    const id = await api.startRun();
    const tell = await teller(id);
    const request = `GET /api/runs/${id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect(api.port, "127.0.0.1", () => socket.write(request)).on("error", () => {});
      return socket.pause();
    });
    const frames = follow(`/api/runs/${id}/events`);
    await frames.some(2);
    const before = process.memoryUsage().rss;
    const text = "x".repeat(100_000);
    for (let n = 0; n < 40; n += 1) {
      await appendLogChunks(api.db, [
        {
          run_id: id,
          step_id: `${id}-1`,
          attempt: 1,
          stream: "stdout",
          level: "info",
          offset: n * 100_000,
          text,
          at: new Date().toISOString(),
        },
      ]);
    }
    const begun = Date.now();
    await tell(finished("completed"));

    expect((await frames.ended).at(-1)?.id).toBe("3");
    expect(Date.now() - begun).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
    for (const socket of sockets) socket.destroy();
  });
});

describe("the stream of all runs", () => {
  // What is told waits for older transactions to end, those of other test files on the same server included.
  beforeEach(async () => {
    const { rows } = await api.db.pool.query("select count(*)::int as told from mirror.events");
    await expect.poll(async () => (await follow("/api/events?follow=false").ended).length).toBe(rows[0].told);
  });

  test("goes on after a place that it gave out", async () => {
    const before = await follow("/api/events?follow=false").ended;
    const place = before.at(-1)?.id ?? "0-0";
    const live = follow(`/api/events?after=${place}`);
    const ids = [await api.startRun(), await api.startRun()];
    const frames = await live.some(2);
    live.close();

    expect(frames.map((frame) => JSON.parse(frame.data).run_id)).toEqual(ids);
    expect(frames.every((frame) => /^\d+-\d+$/.test(frame.id ?? ""))).toBe(true);
    const rest = await follow(`/api/events?follow=false&after=${frames[0]?.id}`).ended;
    expect(rest.map((frame) => frame.id)).toEqual([frames[1]?.id]);
  });

  test("does not tell what comes after a transaction that is still open", async () => {
    const client = await api.db.pool.connect();
    await client.query("begin");
    await client.query("select pg_current_xact_id()");
    const place = (await follow("/api/events?follow=false").ended).at(-1)?.id ?? "0-0";
    const live = follow(`/api/events?after=${place}`);
    const id = await api.startRun();
    expect(await follow(`/api/events?follow=false&after=${place}`).ended).toEqual([]);
    await client.query("commit");
    client.release();

    expect(JSON.parse((await live.some(1))[0]?.data ?? "").run_id).toBe(id);
    live.close();
  });

  test.each(["1", "abc", "99999999999999999999999-1", "18446744073709551616-1"])("refuses %s as a place", async (place) => {
    expect((await api.ask("GET", `/api/events?after=${place}`)).status).toBe(400);
  });
});

interface Frames {
  /** All frames, once the server has ended the stream. */
  ended: Promise<EventSourceMessage[]>;
  /** The first `n` frames or more, once they are there. */
  some(n: number): Promise<EventSourceMessage[]>;
  close(): void;
}

function follow(path: string, headers: Record<string, string> = {}): Frames {
  const cut = new AbortController();
  const frames: EventSourceMessage[] = [];
  let more = () => {};
  const parser = createParser({
    onEvent(frame) {
      frames.push(frame);
      more();
    },
  });
  const reading = (async () => {
    const response = await fetch(`${api.url}${path}`, {
      headers: { Authorization: `Bearer ${TOKEN}`, Accept: "text/event-stream", ...headers },
      signal: cut.signal,
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  })();
  reading.then(
    () => more(),
    () => more(),
  );
  return {
    ended: reading.then(
      () => frames,
      () => frames,
    ),
    async some(n) {
      while (frames.length < n) {
        await new Promise<void>((resolve) => {
          more = resolve;
        });
      }
      return [...frames];
    },
    close: () => cut.abort(),
  };
}
