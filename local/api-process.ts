import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { pino } from "pino";
import { createApp } from "../api/app.js";
import type { ApiContext } from "../api/context.js";
import { EventFeed } from "../api/event-feed.js";
import { Logins } from "../api/login-codes.js";
import { RetentionTimer } from "../api/retention-timer.js";
import { createApiServer } from "../api/server.js";
import { sweepUploads } from "../api/upload.js";
import { type Config, readConfig } from "../config.js";
import { type Database, openDatabase } from "../db/database.js";
import { allProjects, runsOfProject } from "../db/projects.js";
import { packageRoot } from "../package-root.js";
import { createPayloadCodec } from "../payload-codec.js";
import { createDeployChecker } from "../worker/deploy-check.js";
import { Discovery } from "../worker/discover.js";
import { createLoader } from "../worker/load.js";
import { accessToken } from "./home.js";
import { untilTold } from "./parent.js";

/** Milliseconds that requests under way have to end when this process is told to. */
const GRACE = 5_000;

/** The API as a process of its own: serves until it is told to end, or its supervisor is gone. */
export async function main(): Promise<void> {
  const told = untilTold();
  const config = readConfig();
  const { databaseUrl, temporalAddress } = config;
  if (databaseUrl === undefined || temporalAddress === undefined)
    throw new Error("DATABASE_URL and TEMPORAL_ADDRESS are needed.");

  const log = pino({ name: "api", level: config.log, redact: ["req.headers.authorization", "req.headers.cookie"] });
  const db = openDatabase(databaseUrl);
  const connection = lazyConnection(config, temporalAddress);
  const payloadCodecs = [await createPayloadCodec(config.home)];
  const token = accessToken(config.home, config.token);
  const feed = new EventFeed(db, databaseUrl, log);
  const loader = createLoader();
  const discovery = new Discovery({ db, loader, log, home: config.home });
  const temporal = new Client({ connection, namespace: config.temporalNamespace, dataConverter: { payloadCodecs } });
  const context: ApiContext = {
    db,
    temporal,
    loader,
    checker: createDeployChecker({ db, client: temporal, home: config.home }),
    feed,
    logins: new Logins(token),
    config,
    log,
    version: version(),
    namespace: config.temporalNamespace,
    uiUrl: config.temporalUiUrl ?? null,
    token,
  };
  const server = createApiServer(createApp(context));
  const retention = new RetentionTimer(context);
  feed.start();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(config.port, config.host, resolve));
  log.info(`Listening on ${config.host}:${config.port}.`);
  void discovery.start();
  retention.start();
  void sweepAll(db).catch((error: unknown) => log.warn({ err: error }, "Broken uploads were not looked for."));

  await told;
  const closed = new Promise((resolve) => server.close(resolve));
  await Promise.all([feed.stop(), discovery.stop(), retention.stop()]);
  // A connection whose stream has just ended is idle only a moment later.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => server.closeAllConnections(), GRACE);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
  await connection.close();
  await db.close();
}

/** Connects when it is first used, and again whenever it has to: Temporal may come later than we do. */
function lazyConnection(config: Config, address: string): Connection {
  return Connection.lazy({
    address,
    tls: config.temporalTls || config.temporalApiKey !== undefined,
    ...(config.temporalApiKey === undefined ? {} : { apiKey: config.temporalApiKey }),
  });
}

async function sweepAll(db: Database): Promise<void> {
  for (const project of await allProjects(db)) {
    for (const run of await runsOfProject(db, project.id)) await sweepUploads(project.path, run.id);
  }
}

function version(): string {
  const { version: text }: { version: string } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  return text;
}
