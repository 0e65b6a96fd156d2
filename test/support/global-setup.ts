import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type PostgresServer, startPostgres } from "../../local/postgres.js";
import { writeMark } from "../../local/process-mark.js";
import { resolveTemporal, startTemporal, type TemporalServer } from "../../local/temporal.js";
import { packageRoot } from "../../package-root.js";
import { endAllBelow, PREFIX, sweepDeadRuns } from "./leftovers.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where a test asks for the servers; see `stack.ts`. */
    servers: string;
    /** Everything that tests write lies below it. */
    folder: string;
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * One Temporal and one Postgres for the whole test run, started when the first test asks for them and
 * gone with their data afterwards, also when the run is interrupted.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!project.isRootProject()) return;
  findAgents();
  sweepDeadRuns();
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  // Postgres runs as another user when we are root, and has to find its way in.
  chmodSync(folder, 0o711);
  writeMark(join(folder, "owner"), process.pid);
  let temporal: Promise<TemporalServer> | undefined;
  let postgres: Promise<PostgresServer> | undefined;

  const servers = createServer(async (request, response) => {
    try {
      if (request.url === "/temporal") {
        temporal ??= beginTemporal(folder);
        response.end((await temporal).address);
      } else {
        postgres ??= startPostgres({ dataDir: join(folder, "postgres") });
        response.end((await postgres).url);
      }
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  await new Promise<void>((resolve) => servers.listen(0, "127.0.0.1", resolve));
  const { port } = servers.address() as AddressInfo;
  project.provide("servers", `http://127.0.0.1:${port}`);
  project.provide("folder", folder);

  const interrupted = () => {
    endAllBelow(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const quit = () => process.exit(130);
  process.once("exit", interrupted);
  for (const signal of SIGNALS) process.once(signal, quit);

  return async () => {
    servers.closeAllConnections();
    servers.close();
    await Promise.allSettled([temporal?.then((server) => server.stop()), postgres?.then((server) => server.stop())]);
    interrupted();
    process.off("exit", interrupted);
    for (const signal of SIGNALS) process.off(signal, quit);
  };
}

/** The tests of the agents that people install themselves run those of the settings; without one they are skipped. */
function findAgents(): void {
  for (const [title, program] of [
    ["Codex", "codex"],
    ["Gemini CLI", "gemini"],
    ["Grok Build", "grok"],
  ] as const) {
    const setting = `LONGHAUL_${program.toUpperCase()}_BIN`;
    if (process.env[setting]) continue;
    const installed = join(packageRoot, "test/agents/node_modules/.bin", program);
    if (existsSync(installed)) process.env[setting] = installed;
    else console.warn(`The tests of ${title} are skipped: it is not installed. \`npm run agents\` installs it.`);
  }
}

/** The binary is kept in the user's cache folder: it is fetched once for all test runs. */
async function beginTemporal(folder: string): Promise<TemporalServer> {
  const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "longhaul");
  const binary = await resolveTemporal({ setting: process.env.LONGHAUL_TEMPORAL_BIN, cacheFolder });
  return startTemporal({ binary, dataDir: join(folder, "temporal"), uiPort: null });
}
