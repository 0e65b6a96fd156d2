import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { apiUrl, type Config, isLoopback, readConfig } from "../config.js";
import { LonghaulClient } from "../sdk/client.js";
import { CliError, EXIT } from "./exit.js";

/** A client of the Longhaul that the environment names. Nothing is asked yet. */
export function connect(): LonghaulClient {
  const config = settings();
  const url = apiUrl(config);
  return new LonghaulClient({ url, token: config.token ?? keptToken(config, url) });
}

/** The settings, as `start` reads them. @throws {CliError} naming every variable that is wrong. */
export function settings(): Config {
  try {
    return readConfig();
  } catch (error) {
    throw new CliError(EXIT.usage, error instanceof Error ? error.message : String(error));
  }
}

/** The token that `start` keeps in its home. It is shown to this machine alone, whatever LONGHAUL_URL says. */
export function keptToken({ home }: Pick<Config, "home">, url: string): string | null {
  const file = join(home, "token");
  if (!isLoopback(new URL(url).hostname) || !existsSync(file)) return null;
  return readFileSync(file, "utf8").trim() || null;
}

/** Where the command was called: npm runs scripts in the package's own folder. */
export function calledFrom(): string {
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env;
  return script === "longhaul" && folder ? folder : process.cwd();
}
