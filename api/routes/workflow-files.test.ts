import { readdirSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "../../test/support/api.js";
import { FOLDER, shown, workflowRequests, yaml } from "../../test/support/workflow-requests.js";
import { Discovery } from "../../worker/discover.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const { create, created, put, get, onDisk, textOf } = workflowRequests(() => api);

describe("discovery", () => {
  test("finds what the API writes as it is, and settles what was not registered", async () => {
    const discovery = new Discovery({ db: api.db, loader: api.context.loader, log: api.context.log, home: api.home });
    await discovery.start();
    try {
      const workflow = await created(yaml("watched"));
      for (const command of ["a", "b", "c"]) shown(await put(workflow.id, { definition: yaml("watched", command) }));
      const gone = await created(yaml("watched-too"));
      expect((await api.ask("DELETE", `/api/workflows/${gone.id}`)).status).toBe(204);
      await api.ask("PATCH", `/api/workflows/${workflow.id}`, { enabled: false });

      // Registered after all of the above, as files are looked at in the order of their names.
      writeFileSync(onDisk(`${FOLDER}/zz-left.yaml`), yaml("zz-left"));
      await expect.poll(() => get("zz-left"), { timeout: 15_000 }).toMatchObject({ status: 200 });
      writeFileSync(onDisk(workflow.path), yaml("watched", "by hand"));
      await expect.poll(async () => shown(await get(workflow.id)).revision, { timeout: 15_000 }).toBe(5);

      expect(shown(await get(workflow.id))).toMatchObject({ enabled: false, definition: yaml("watched", "by hand") });
      const { body } = await api.ask("GET", `/api/workflows/${workflow.id}/versions`);
      expect(body.page.total).toBe(5);
      expect((await get(gone.id)).status).toBe(404);
      expect((await get("watched-too")).status).toBe(404);
    } finally {
      await discovery.stop();
    }
  });
});

test("when Postgres is lost as it is to be kept, files are as they were", async () => {
  const kept = await created(yaml("kept"));
  const before = readdirSync(onDisk(FOLDER));
  await api.db.pool.query(`
    create function app.lose() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); return null; end $$;
    create constraint trigger lose after insert on app.audit deferrable initially deferred
      for each row execute function app.lose()`);
  const asked = [
    await create(yaml("lost")),
    await put(kept.id, { definition: yaml("kept", "lost") }),
    await api.ask("DELETE", `/api/workflows/${kept.id}`),
  ];
  await api.db.pool.query("drop trigger lose on app.audit");

  for (const reply of asked) expect(reply).toMatchObject({ status: 503, body: { code: "postgres_unavailable" } });
  expect(readdirSync(onDisk(FOLDER))).toEqual(before);
  expect(textOf(kept)).toBe(yaml("kept"));
  expect(shown(await get(kept.id))).toMatchObject({ revision: 1, definition: yaml("kept") });
  expect(shown(await put(kept.id, { definition: yaml("kept", "later") })).revision).toBe(2);
});
