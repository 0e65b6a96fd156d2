import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type PostgresServer, startPostgres } from "../../local/postgres.js";
import { resolveTemporal, startTemporal, type TemporalServer } from "../../local/temporal.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where a test asks for the servers; see `stack.ts`. */
    servers: string;
  }
}

/**
 * One Temporal and one Postgres for the whole test run, started when the first test asks for them and
 * gone with their data afterwards, also when the run is interrupted.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "longhaul-tests-"));
  // Postgres runs as another user when we are root, and has to find its way in.
  chmodSync(folder, 0o711);
  let temporal: Promise<TemporalServer> | undefined;
  let postgres: Promise<PostgresServer> | undefined;
  const pids: number[] = [];
  const noting = <Server extends { pid: number }>(server: Server): Server => {
    pids.push(server.pid);
    return server;
  };

  const servers = createServer(async (request, response) => {
    try {
      if (request.url === "/temporal") {
        temporal ??= beginTemporal(folder).then(noting);
        response.end((await temporal).address);
      } else {
        postgres ??= startPostgres({ dataDir: join(folder, "postgres") }).then(noting);
        response.end((await postgres).url);
      }
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  await new Promise<void>((resolve) => servers.listen(0, "127.0.0.1", resolve));
  const { port } = servers.address() as AddressInfo;
  project.provide("servers", `http://127.0.0.1:${port}`);

  const interrupted = () => {
    for (const pid of pids) end(pid);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const quit = () => process.exit(143);
  process.once("exit", interrupted);
  process.once("SIGTERM", quit);
  process.once("SIGHUP", quit);

  return async () => {
    servers.closeAllConnections();
    servers.close();
    await Promise.allSettled([temporal?.then((server) => server.stop()), postgres?.then((server) => server.stop())]);
    rmSync(folder, { recursive: true, force: true });
    process.off("exit", interrupted);
    process.off("SIGTERM", quit);
    process.off("SIGHUP", quit);
  };
}

/** The binary is kept in the user's cache folder: it is fetched once for all test runs. */
async function beginTemporal(folder: string): Promise<TemporalServer> {
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  const binary = await resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder });
  return startTemporal({ binary, dataDir: join(folder, "temporal"), uiPort: null });
}

function end(pid: number): void {
  try {
    // The group: with the postmaster gone its helpers would linger over a folder that is no more.
    process.kill(-pid, "SIGKILL");
  } catch {
    // Ended already.
  }
}
