import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { type Api, HELLO, startApi, TOKEN } from "../test/support/api.js";

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
});

const post = (body: string, headers: Record<string, string> = {}) =>
  api.ask("POST", "/api/runs", body, { "Content-Type": "application/json", ...headers });
const input = (json: string) => `{"workflow":"hello","input":{"extra":${json}}}`;

describe("a body", () => {
  test.each([
    ["that is not JSON", "{", 400],
    ["that is no object", "[]", 400],
    ["nested 100,000 deep", input("[".repeat(100_000) + "]".repeat(100_000)), 400],
    ["with a prototype for a key", '{"workflow":"hello","__proto__":{"isAdmin":true}}', 400],
    ["with a prototype for a key in its input", input('{"__proto__":{"isAdmin":true}}'), 400],
    ["with NUL", input('"a\\u0000b"'), 400],
    ["with half a surrogate pair", input('"\\ud800"'), 400],
    ["with NUL in a key", input('{"a\\u0000":1}'), 400],
    ["with 1e400", input("1e400"), 400],
    ["with -0", input("-0"), 400],
    ["with 2^53+1", input("9007199254740993"), 400],
    ["that is not UTF-8", undefined, 400],
    ["of 11 MiB", input(`"${"x".repeat(11_534_336)}"`), 413],
  ])("%s is refused, and nothing is made", async (_what, body, status) => {
    const before = await api.ask("GET", "/api/stats");
    const reply =
      body === undefined
        ? await fetch(`${api.url}/api/runs`, {
            method: "POST",
            headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
            body: new Uint8Array([0x22, 0xff, 0x22]),
          })
        : await post(body);

    expect(reply.status).toBe(status);
    expect((await api.ask("GET", "/api/stats")).body).toEqual(before.body);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  });

  test("names the field that cannot be kept", async () => {
    const { body } = await post('{"workflow":"hello","name":"a\\u0000b","input":{"list":[1,"\\ud800"]}}');

    expect(body).toMatchObject({ errors: [{ path: "name" }, { path: "input.list[1]" }] });
  });

  test("with a constructor's prototype is kept as data and changes nothing", async () => {
    const { status } = await post(input('{"constructor":{"prototype":{"isAdmin":true}}}'));

    expect(status).toBe(201);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test("with numbers that can be kept comes back as it was", async () => {
    const { body } = await post(input("[0, 0.0, 1e3, -1.5e-3, 9007199254740991, 0e5]"));

    expect(body).toMatchObject({ data: { input: { extra: [0, 0, 1000, -0.0015, 9007199254740991, 0] } } });
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin1",
    "multipart/form-data; boundary=x",
  ])("of type %s is refused", async (type) => {
    expect((await post('{"workflow":"hello"}', { "Content-Type": type })).status).toBe(415);
  });
});

describe("a request", () => {
  test("for a method that a path does not take answers 405 and says which it takes", async () => {
    const reply = await api.ask("PUT", "/api/runs");

    expect(reply.status).toBe(405);
    expect(reply.headers.get("allow")).toBe("GET, POST, HEAD");
  });

  test("that overrides its method, or is a TRACE, answers 405", async () => {
    expect((await api.ask("POST", "/api/runs", {}, { "X-HTTP-Method-Override": "DELETE" })).status).toBe(405);
    expect(await raw(`TRACE /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(/^HTTP\/1.1 405/);
  });

  test.each([
    ["a header of 64 KiB", `X-Big: ${"x".repeat(65_536)}`],
    ["10,000 headers", Array.from({ length: 10_000 }, (_, i) => `X-${i}: y`).join("\r\n")],
  ])("with %s answers 431", async (_what, headers) => {
    expect(await raw(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
  });

  test("is answered within a second while 200 others are half sent", async () => {
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(api.port, "127.0.0.1").on("error", () => {});
      socket.write("POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-");
      return socket;
    });
    await delay(200);
    const begun = Date.now();
    expect((await api.ask("GET", "/api/stats")).status).toBe(200);
    expect(Date.now() - begun).toBeLessThan(1000);
    for (const socket of sockets) socket.destroy();
  });
});

describe("a token", () => {
  test.each([
    ["wrong by one character", `Bearer ${TOKEN.slice(0, -1)}x`],
    ["that is empty", "Bearer "],
    ["that is two words", `Bearer Bearer ${TOKEN}`],
    ["of another scheme", `Basic ${TOKEN}`],
  ])("%s is refused", async (_what, Authorization) => {
    expect((await api.ask("GET", "/api/runs", undefined, { Authorization })).status).toBe(401);
  });

  test.each(["/api/runs", "/api/events", "/openapi.json"])("in the query of %s is refused", async (path) => {
    expect((await fetch(`${api.url}${path}?token=${TOKEN}`)).status).toBe(401);
    expect((await api.ask("GET", `${path}?access_token=${TOKEN}`)).status).toBe(401);
  });

  test("of a person's own works until it ends", async () => {
    const { sha256 } = await import("./sha256.js");
    const add =
      "insert into app.tokens (id, user_id, name, hash, expires_at) values ($1, 'local', 'own', $2, now() + $3::interval)";
    await api.db.pool.query(add, ["tok_1", sha256("own-token-1"), "1 hour"]);
    await api.db.pool.query(add, ["tok_2", sha256("own-token-2"), "-1 hour"]);

    expect((await api.ask("GET", "/api/runs", undefined, { Authorization: "Bearer own-token-1" })).status).toBe(200);
    expect((await api.ask("GET", "/api/runs", undefined, { Authorization: "Bearer own-token-2" })).status).toBe(401);
  });
});

describe("a browser", () => {
  test("logs in with a code, once", async () => {
    const { path }: { path: string } = (await api.ask("POST", "/api/login-codes")).body.data;
    const login = await fetch(`${api.url}${path}&to=/runs/run_1`, { redirect: "manual" });
    const cookie = login.headers.get("set-cookie") ?? "";

    expect([login.status, login.headers.get("location")]).toEqual([303, "/runs/run_1"]);
    expect(cookie).toMatch(/^longhaul_session=.+HttpOnly; SameSite=Strict$/);
    expect(login.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    const session = { Cookie: cookie.split(";")[0] ?? "" };
    expect((await fetch(`${api.url}/api/runs`, { headers: session })).status).toBe(200);
    expect((await fetch(`${api.url}/api/runs`, { headers: { Cookie: `${session.Cookie}x` } })).status).toBe(401);
    expect((await fetch(`${api.url}${path}`)).status).toBe(401);
  });

  test.each(["//evil.example", "https://evil.example", "/\\evil.example", "/runs?x=//evil.example"])(
    "is sent nowhere but to the page by a login: not to %s",
    async (to) => {
      const { path }: { path: string } = (await api.ask("POST", "/api/login-codes")).body.data;
      const login = await fetch(`${api.url}${path}&to=${encodeURIComponent(to)}`, { redirect: "manual" });

      expect([login.status, login.headers.get("set-cookie")]).toEqual([400, null]);
    },
  );

  test("on another origin gets nothing changed and nothing to read", async () => {
    const foreign = { Origin: "http://evil.example" };
    const reply = await api.ask("POST", "/api/runs", { workflow: "hello" }, foreign);
    const preflight = await fetch(`${api.url}/api/runs`, {
      method: "OPTIONS",
      headers: { ...foreign, "Access-Control-Request-Method": "POST" },
    });

    expect(reply.status).toBe(403);
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
    expect((await api.ask("POST", "/api/runs", { workflow: "hello" }, { Origin: api.url })).status).toBe(201);
  });

  test.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3456", "10.0.0.1"])(
    "that calls us %s is refused",
    async (host) => {
      for (const path of ["/healthz", "/api/runs", "/api/events", "/login"]) {
        expect(
          await raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`),
        ).toMatch(/^HTTP\/1.1 403/);
      }
    },
  );
});

/** The answer to bytes as they are. */
function raw(request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(api.port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (chunk) => {
      answer += chunk;
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => {}).on("close", () => resolve(answer));
  });
}
