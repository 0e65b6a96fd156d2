import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { createApp } from "../../api/app.js";
import { EventFeed } from "../../api/event-feed.js";
import { Logins } from "../../api/login-codes.js";
import { createApiServer } from "../../api/server.js";
import { createDeployChecker } from "../../worker/deploy-check.js";
import { createLoader } from "../../worker/load.js";
import type { Reply } from "./api.js";
import type { Longhaul } from "./longhaul.js";
import { whenThrough } from "./stack.js";

const TOKEN = "a-token-for-tests-0123456789";

export type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>;

/** Where it answers, to whoever logs in. */
export type Served = Ask & { url: string };

/** Longhaul's HTTP surface over its other parts, for one test file: ask with the token; `body` is sent as JSON. */
export async function served({ db, client, config }: Longhaul): Promise<Served> {
  const log = pino({ level: process.env.LONGHAUL_TEST_LOG ?? "silent" });
  const feed = new EventFeed(db, config.databaseUrl, log);
  const app = createApp({
    db,
    temporal: client,
    loader: createLoader(),
    checker: createDeployChecker({ db, client, home: config.home }),
    feed,
    logins: new Logins(TOKEN),
    config: { ...config, host: "127.0.0.1", auth: "token", allowedHosts: [] },
    log,
    version: "0.0.0",
    namespace: config.temporalNamespace,
    uiUrl: null,
    token: TOKEN,
    checkAnswers: true,
  });
  const server = createApiServer(app);
  feed.start();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  whenThrough(async () => {
    await feed.stop();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;

  const url = `http://127.0.0.1:${port}`;
  const ask: Ask = async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${TOKEN}`,
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
  };
  return Object.assign(ask, { url });
}
