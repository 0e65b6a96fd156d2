import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { SecretBox } from "../../db/secret-box.js";
import { readAccess } from "../../db/secrets.js";
import { type Api, startApi } from "../../test/support/api.js";

let api: Api;
let at: string;
beforeAll(async () => {
  api = await startApi();
  at = `/api/projects/${api.project.id}`;
});

const VALUE = "a value that nobody reads back";

describe("a project's secret", () => {
  test("is set, listed, changed and removed, and no answer holds its value", async () => {
    const answers = [
      await api.ask("PUT", `${at}/secrets/NPM_TOKEN`, { value: VALUE }),
      await api.ask("PUT", `${at}/secrets/_2`, { value: "another value" }),
      await api.ask("PUT", `${at}/secrets/NPM_TOKEN`, { value: `${VALUE}, changed` }),
      await api.ask("GET", `${at}/secrets/NPM_TOKEN`),
      await api.ask("GET", `${at}/secrets`),
      await api.ask("GET", at),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(answers[0]?.body.data).toEqual({ name: "NPM_TOKEN", updated_at: expect.any(String), warnings: [] });
    expect(answers[4]?.body).toMatchObject({ data: [{ name: "NPM_TOKEN" }, { name: "_2" }], page: { total: 2 } });
    expect(JSON.stringify(answers)).not.toContain("value that");
    expect((await api.ask("DELETE", `${at}/secrets/_2`)).status).toBe(204);
    expect((await api.ask("GET", `${at}/secrets/_2`)).status).toBe(404);
    expect((await api.ask("DELETE", `${at}/secrets/_2`)).status).toBe(404);
  });

  test("lists by pages", async () => {
    for (const name of ["PAGE_A", "PAGE_B", "PAGE_C"]) await api.ask("PUT", `${at}/secrets/${name}`, { value: "1234" });

    const first = (await api.ask("GET", `${at}/secrets?limit=2`)).body;
    const next = (await api.ask("GET", `${at}/secrets?limit=2&cursor=${first.page.next_cursor}`)).body;

    expect([...first.data, ...next.data].slice(0, 3).map(({ name }: { name: string }) => name)).toEqual([
      "PAGE_C",
      "PAGE_B",
      "PAGE_A",
    ]);
    expect(next.page).toMatchObject({ number: null, limit: 2 });
  });

  test("lies in the database sealed, for its project and name alone, by a key that only its owner may read", async () => {
    await api.ask("PUT", `${at}/secrets/SEALED`, { value: VALUE });
    const { rows } = await api.db.pool.query<{ value: string }>("select value from app.secrets where name = 'SEALED'");
    const sealed = rows[0]?.value ?? "";
    const box = new SecretBox(api.home);

    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[\w-]+\.[\w-]+$/);
    expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("value");
    expect(statSync(join(api.home, "keys/secrets")).mode & 0o777).toBe(0o600);
    expect(await box.open(sealed, { project_id: api.project.id, name: "SEALED" })).toBe(VALUE);
    for (const place of [
      { project_id: api.project.id, name: "OTHER" },
      { project_id: "prj_other", name: "SEALED" },
    ]) {
      await expect(box.open(sealed, place)).rejects.toThrow(`The secret ${place.name} cannot be read`);
    }
  });

  test("can be read after the key was changed, and not without the one that sealed it", async () => {
    const place = { project_id: api.project.id, name: "ROTATED" };
    const old = await new SecretBox(api.home).seal(VALUE, place);
    const file = join(api.home, "keys/secrets");
    const keys = readFileSync(file, "utf8");
    writeFileSync(file, `${"ab".repeat(32)}\n${keys}`);

    const changed = new SecretBox(api.home);
    const fresh = await changed.seal(VALUE, place);
    expect([await changed.open(old, place), await changed.open(fresh, place)]).toEqual([VALUE, VALUE]);

    writeFileSync(file, `${"ab".repeat(32)}\n`);
    await expect(new SecretBox(api.home).open(old, place)).rejects.toThrow("keys/secrets does not hold the key");
    writeFileSync(file, keys);
  });

  test("leaves its name in the audit, never its value", async () => {
    await api.ask("PUT", `${at}/secrets/AUDITED`, { value: VALUE });
    await api.ask("DELETE", `${at}/secrets/AUDITED`);
    const { rows } = await api.db.pool.query(
      "select action, subject, data from app.audit where data->>'name' = 'AUDITED' order by id",
    );

    expect(rows).toEqual([
      { action: "secret.set", subject: api.project.id, data: { name: "AUDITED" } },
      { action: "secret.remove", subject: api.project.id, data: { name: "AUDITED" } },
    ]);
  });

  test.each([
    ["a name in small letters", "npm_token", { value: "12345678" }, "name"],
    ["a name that begins with a digit", "1ST", { value: "12345678" }, "name"],
    ["the name of a setting of ours", "LONGHAUL_TOKEN", { value: "12345678" }, "name"],
    ["a name that is too long", "A".repeat(129), { value: "12345678" }, "name"],
    ["an empty value", "TOKEN", { value: "" }, "value"],
    ["a value that is too long", "TOKEN", { value: "ü".repeat(20_000) }, "value"],
    ["a value with NUL", "TOKEN", { value: "1234\u00005678" }, "value"],
    ["a value that is no text", "TOKEN", { value: 12345678 }, "value"],
    ["no value", "TOKEN", {}, "value"],
    ["another field", "TOKEN", { value: "12345678", name: "X" }, "name"],
  ])("with %s is refused", async (_what, name, body, path) => {
    const reply = await api.ask("PUT", `${at}/secrets/${name}`, body);

    expect(reply).toMatchObject({ status: 400, body: { errors: [{ path }] } });
  });

  test("of a project that is not there is not found", async () => {
    for (const [method, path, body] of [
      ["GET", "/api/projects/prj_no/secrets", undefined],
      ["GET", "/api/projects/prj_no/secrets/A", undefined],
      ["PUT", "/api/projects/prj_no/secrets/A", { value: "12345678" }],
      ["DELETE", "/api/projects/prj_no/secrets/A", undefined],
    ] as const) {
      expect((await api.ask(method, path, body)).status).toBe(404);
    }
  });

  test.each([
    ["abc", "fewer than 4 characters and is not hidden"],
    ["test", "It is short"],
    [
      "-----BEGIN KEY-----\nMIIEvQIBADANBg\nab=\n-----END KEY-----\n",
      "It has 4 lines; each is hidden by itself wherever it stands. 1 of them has fewer than 4",
    ],
  ])("that cannot be hidden well, such as %j, is taken with a warning", async (value, warning) => {
    const reply = await api.ask("PUT", `${at}/secrets/WARNED`, { value });

    expect(reply).toMatchObject({ status: 200, body: { data: { warnings: [expect.stringContaining(warning)] } } });
  });
});

describe("a project's settings", () => {
  test("have defaults, and change one by one", async () => {
    const defaults = {
      allow_bypass: false,
      default_provider: null,
      trust_repository: false,
      env_allow: [],
      budget_per_day: null,
    };
    expect((await api.ask("GET", at)).body).toMatchObject({ data: { settings: defaults } });

    await api.ask("PATCH", at, { settings: { allow_bypass: true, env_allow: ["JAVA_HOME"] } });
    const changed = await api.ask("PATCH", at, {
      settings: { defaultProvider: "claude-code", allow_bypass: null },
      name: "Shop",
    });

    const settings = { ...defaults, default_provider: "claude", env_allow: ["JAVA_HOME"] };
    expect(changed).toMatchObject({ status: 200, body: { data: { name: "Shop", settings } } });
    expect((await readAccess(api.db, api.project.id)).settings).toEqual(settings);
    const { rows } = await api.db.pool.query("select data from app.audit where action = 'project.settings' order by id");
    expect(rows[0]?.data).toEqual({ allow_bypass: true, env_allow: ["JAVA_HOME"] });
  });

  test.each([
    ["an unknown one", { settings: { allow_everything: true } }, "settings.allow_everything"],
    ["one of another type", { settings: { allow_bypass: "yes" } }, "settings.allow_bypass"],
    ["an agent that is none", { settings: { default_provider: "clode" } }, "settings.default_provider"],
    ["a variable of ours", { settings: { env_allow: ["HOME", "DATABASE_URL"] } }, "settings.env_allow[1]"],
    ["no name of a variable", { settings: { env_allow: ["A=B"] } }, "settings.env_allow[0]"],
    ["nothing", {}, "name"],
  ])("refuse %s", async (_what, body, path) => {
    expect(await api.ask("PATCH", at, body)).toMatchObject({ status: 400, body: { errors: [{ path }] } });
  });
});
