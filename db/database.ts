import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import * as schema from "./schema.js";

export interface Database {
  orm: NodePgDatabase<typeof schema>;
  pool: pg.Pool;
  close(): Promise<void>;
}

/** A transaction, or the database itself. */
export type Connection = Pick<Database["orm"], "select" | "insert" | "update" | "delete" | "execute">;

/** Milliseconds after which a lost Postgres shows: to connect, to run a statement, to get a lock. */
const CONNECT_TIMEOUT = 3_000;
const STATEMENT_TIMEOUT = 15_000;
const LOCK_TIMEOUT = 10_000;
/** Milliseconds that a connection without work is kept: to log in again, and to have Postgres read its catalogues again, costs 20 ms. */
const IDLE_TIMEOUT = 600_000;

/**
 * A pool of at most ten connections. Nothing is connected yet: a database that is away shows at the first
 * query, as an error for which `isUnavailable` is true, and a later query succeeds when it is back.
 */
export function openDatabase(url: string): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: "longhaul",
    max: 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    idleTimeoutMillis: IDLE_TIMEOUT,
    statement_timeout: STATEMENT_TIMEOUT,
    lock_timeout: LOCK_TIMEOUT,
    // The server cannot end a statement whose connection is half open.
    query_timeout: STATEMENT_TIMEOUT + 3_000,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return { orm: drizzle(pool, { schema }), pool, close: () => pool.end() };
}

const LOST_SOCKET = /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;
/** Connection exceptions; shutdown, crash and start of the server; no connections, memory or disk left; out of time. */
const LOST_STATE = /^(08...|57P0[1-5]|53...|57014|55P03)$/;
const LOST_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Client was closed|The server does not support)/;

/** Whether the database did not answer, as against answering with an error. Looks through causes. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (LOST_SOCKET.test(code) || LOST_STATE.test(code) || LOST_MESSAGE.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true;
  return isUnavailable(error.cause);
}

/** Whether tables are missing that a migration has made: somebody has dropped them. */
export function isWithoutTables(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && (error.code === "42P01" || error.code === "3F000")) || isWithoutTables(error.cause);
}

/** Whether the server gave up waiting for a lock or for a statement to end: it is there, and other statements may do well. */
export function isOutOfTime(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && (error.code === "57014" || error.code === "55P03")) || isOutOfTime(error.cause);
}
