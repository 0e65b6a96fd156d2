import type { Client } from "@temporalio/client";
import type { Logger } from "pino";
import type { Config } from "../config.js";
import type { DeployChecker } from "../contract/deploy-check.js";
import type { Loader } from "../contract/loader.js";
import type { Database } from "../db/database.js";
import type { User } from "../db/tokens.js";
import type { EventFeed } from "./event-feed.js";
import type { Logins } from "./login-codes.js";

/** What the API stands on. Handed to `createApp` by whoever starts it. */
export interface ApiContext {
  db: Database;
  temporal: Client;
  loader: Loader;
  checker: DeployChecker;
  feed: EventFeed;
  logins: Logins;
  config: Pick<Config, "home" | "host" | "auth" | "allowedHosts" | "continueAfter" | "keep">;
  log: Logger;
  /** Longhaul's own version. */
  version: string;
  namespace: string;
  /** Address of Temporal's own page; null when there is none. */
  uiUrl: string | null;
  /** The installation's token, whose bearer is the local user. */
  token: string;
  /** Answers are checked against the contract before they are sent: for tests, since it costs time. @default false */
  checkAnswers?: boolean;
}

/** One request, checked, as a route's handler gets it. */
export interface Asked<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  user: User;
}
