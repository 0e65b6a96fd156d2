import { beforeAll, expect, test } from "vitest";
import { type Api, startApi } from "../../test/support/api.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

test("a user has a name, and a token that is shown once; the installation's own token alone makes them", async () => {
  expect(await api.ask("POST", "/api/users", { id: "ana", name: "Ana Silva" })).toMatchObject({ status: 201 });
  const ana = as(await tokenOf("ana"));

  expect(await api.ask("GET", "/api/users/ana", undefined, ana)).toMatchObject({
    status: 200,
    body: { data: { id: "ana", name: "Ana Silva", created_at: expect.any(String) } },
  });
  expect((await api.ask("GET", "/api/users")).body).toMatchObject({ data: [{ id: "local" }, { id: "ana" }], page: { total: 2 } });
  const refused = { status: 403, body: { code: "not_allowed" } };
  expect(await api.ask("POST", "/api/users", { id: "eve" }, ana)).toMatchObject(refused);
  expect(await api.ask("POST", "/api/users/ana/tokens", undefined, ana)).toMatchObject(refused);
  expect(await api.ask("DELETE", "/api/users/ana/tokens", undefined, ana)).toMatchObject(refused);
  expect(await api.ask("POST", "/api/users/local/tokens")).toMatchObject(refused);
});

test.each([
  ["one that is there", { id: "local" }, 409],
  ["one who cannot be called so", { id: "Ana Maria" }, 400],
  ["one without an id", { name: "Ana" }, 400],
])("%s is not made", async (_, body, status) => {
  expect((await api.ask("POST", "/api/users", body)).status).toBe(status);
});

test("a browser is logged in as whoever got the code, and both are let in no longer when the tokens are taken", async () => {
  await api.ask("POST", "/api/users", { id: "ben" });
  const ben = as(await tokenOf("ben"));
  const { path }: { path: string } = (await api.ask("POST", "/api/login-codes", undefined, ben)).body.data;
  const login = await fetch(`${api.url}${path}`, { redirect: "manual" });
  const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const browse = async (at: string, method = "GET") =>
    (await fetch(`${api.url}${at}`, { method, headers: { Cookie: cookie, Origin: api.url } })).status;
  expect([await browse("/api/runs"), await browse("/api/users/ben/tokens", "POST")]).toEqual([200, 403]);

  expect((await api.ask("DELETE", "/api/users/ben/tokens")).status).toBe(204);

  expect(await browse("/api/runs")).toBe(401);
  expect((await api.ask("GET", "/api/runs", undefined, ben)).status).toBe(401);
});

async function tokenOf(id: string): Promise<string> {
  const { body } = await api.ask("POST", `/api/users/${id}/tokens`);
  const { token }: { token: string } = body.data;
  return token;
}

function as(token: string) {
  return { Authorization: `Bearer ${token}` };
}
