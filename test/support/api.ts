import { mkdirSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { pino } from "pino";
import { createApp } from "../../api/app.js";
import type { ApiContext } from "../../api/context.js";
import { EventFeed } from "../../api/event-feed.js";
import { Logins } from "../../api/login-codes.js";
import { createApiServer } from "../../api/server.js";
import { newId } from "../../contract/id.js";
import type { Json, JsonObject } from "../../contract/json.js";
import { DEFAULT_RETENTION } from "../../contract/retention.js";
import { type Database, openDatabase } from "../../db/database.js";
import { createProject } from "../../db/projects.js";
import { registerLoaded } from "../../db/registry.js";
import { createPayloadCodec } from "../../payload-codec.js";
import { createDeployChecker } from "../../worker/deploy-check.js";
import { createLoader } from "../../worker/load.js";
import { makeRepository } from "./repository.js";
import { temporalAddress, testDatabase, testFolder, whenThrough } from "./stack.js";

export const TOKEN = "a-token-for-tests-0123456789";

/** The HTTP surface for one test file, on real servers; no worker, so that runs stay as they are told to be. */
export interface Api {
  url: string;
  port: number;
  db: Database;
  databaseUrl: string;
  temporal: Client;
  home: string;
  context: ApiContext;
  server: Server;
  /** A project that is a git repository with a remote `origin`. */
  project: { id: string; path: string };
  /** Ask with the token; `body` is sent as JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Make a workflow of a definition file's text and give back its id. */
  addWorkflow(source: string): Promise<string>;
  /** Start a run of the workflow `hello`. */
  startRun(body?: JsonObject): Promise<string>;
}

export interface Reply {
  status: number;
  headers: Headers;
  body: ReplyBody;
}

/** The parts of answers that tests take into their hands; what they look at otherwise, they match. */
export interface ReplyBody {
  /** Of whatever type a test expects: it fails when it is wrong. */
  data: never;
  page: { total: number; next_cursor: string | null };
  errors: { path: string; message: string }[];
  paths: object;
}

export const HELLO = `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "hello",
  phases: ["greet", "leave"],
  input: z.object({ who: z.string().default("world"), extra: z.any().optional() }),
  async execute(ctx) { return { said: "hello " + ctx.input.who }; },
});
`;

export async function startApi(changes: Partial<ApiContext> = {}): Promise<Api> {
  const [address, database] = await Promise.all([temporalAddress(), testDatabase()]);
  const folder = testFolder();
  const home = join(folder, "home");
  mkdirSync(home);
  const path = await makeRepository(folder);
  const connection = await Connection.connect({ address });
  const namespace = "default";
  const temporal = new Client({ connection, namespace, dataConverter: { payloadCodecs: [await createPayloadCodec(home)] } });
  const log = pino({ level: process.env.LONGHAUL_TEST_LOG ?? "silent" });
  const db = openDatabase(database.url);
  const feed = new EventFeed(db, database.url, log);
  const context: ApiContext = {
    db,
    temporal,
    loader: createLoader(),
    checker: createDeployChecker({ db, client: temporal, home }),
    feed,
    logins: new Logins(TOKEN),
    config: { home, host: "127.0.0.1", auth: "token", allowedHosts: [], continueAfter: 4_000, keep: DEFAULT_RETENTION },
    log,
    version: "0.0.0",
    namespace,
    uiUrl: "http://127.0.0.1:8233",
    token: TOKEN,
    checkAnswers: true,
    ...changes,
  };
  const server = createApiServer(createApp(context));
  feed.start();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const { project } = await createProject(db, { id: newId("prj"), path, name: "sample", repo: null });

  whenThrough(async () => {
    await feed.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await db.close();
    await connection.close();
    await database.drop();
  });

  const api: Api = {
    url,
    port,
    db,
    databaseUrl: database.url,
    temporal,
    home,
    context,
    server,
    project,
    ask,
    addWorkflow,
    startRun,
  };
  return api;

  async function ask(method: string, where: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await fetch(`${url}${where}`, {
      method,
      headers: {
        Authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
  }

  async function addWorkflow(source: string): Promise<string> {
    const file = `.agent/workflows/definitions/${newId("file")}.ts`;
    mkdirSync(join(path, ".agent/workflows/definitions"), { recursive: true });
    writeFileSync(join(path, file), source);
    const loaded = await context.loader.load(join(path, file), path);
    if (!loaded.ok) throw new Error(loaded.error.message);
    await registerLoaded(db, { project_id: project.id, path: file, source }, loaded.workflow);
    const found: { id: string }[] = (await ask("GET", `/api/workflows?q=${loaded.workflow.name}`)).body.data;
    return found[0]?.id ?? "";
  }

  async function startRun(body: JsonObject = {}): Promise<string> {
    const reply = await ask("POST", "/api/runs", { workflow: "hello", ...body } satisfies Json);
    if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
    const { id }: { id: string } = reply.body.data;
    return id;
  }
}
