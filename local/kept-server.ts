import { setTimeout as sleep } from "node:timers/promises";

/** A server process, as `startTemporal` and `startPostgres` give it. */
export interface Server {
  pid: number;
  exited: Promise<void>;
  stop(): Promise<void>;
}

export interface KeptServer<S extends Server> {
  /** The server as it is now. */
  current(): S;
  stop(): Promise<void>;
  /** Ends it with all its processes at once, and for good. */
  kill(): void;
}

const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Starts a server, and again each time it ends without having been asked to.
 *
 * @param start is given the server that ended, so that the new one can take its address: whoever holds a connection comes back by itself.
 */
export async function keepServer<S extends Server>(
  name: string,
  start: (ended?: S) => Promise<S>,
  log: (line: string) => void,
): Promise<KeptServer<S>> {
  let server = await start();
  let stopping = false;
  const watching = watch();

  async function watch(): Promise<void> {
    for (;;) {
      await server.exited;
      if (stopping) return;
      log(`${name} ended unasked and is started again`);
      await startAgain();
    }
  }

  async function startAgain(): Promise<void> {
    for (let pause = PAUSE_MS; !stopping; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        server = await start(server);
        if (stopping) await server.stop();
        return;
      } catch (error) {
        log(`${name} does not start: ${error instanceof Error ? error.message : error}`);
        await sleep(pause);
      }
    }
  }

  return {
    current: () => server,
    stop: async () => {
      stopping = true;
      await server.stop();
      await watching;
    },
    kill: () => {
      stopping = true;
      killGroup(server.pid);
    },
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
