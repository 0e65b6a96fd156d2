import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { AgentNotInstalledError } from "./provider.js";

const SDK = "@anthropic-ai/claude-agent-sdk";

/**
 * The `claude` binary: the one that was set, else the one the Agent SDK's optional package carries.
 *
 * @throws {AgentNotInstalledError}
 */
export function claudeBinary(configured?: string): string {
  if (configured !== undefined) {
    const file = resolve(configured); // from where Longhaul was started, not from the tree that the agent is started in
    if (existsSync(file)) return file;
    throw new AgentNotInstalledError(`LONGHAUL_CLAUDE_BIN is ${configured}, and there is no such file.`);
  }
  const packages = platformPackages();
  for (const name of packages) {
    const found = inPackage(name);
    if (found) return found;
  }
  throw new AgentNotInstalledError(
    `Claude Code is not installed: the optional package ${packages[0]} is missing. ` +
      "Install without `--omit=optional`, or set LONGHAUL_CLAUDE_BIN to a claude binary.",
  );
}

/** The likely package first: on Linux there is one for each C library. */
function platformPackages(): string[] {
  const base = `${SDK}-${process.platform}-${process.arch}`;
  return process.platform === "linux" ? [base, `${base}-musl`] : [base];
}

function inPackage(name: string): string | undefined {
  const from = createRequire(createRequire(import.meta.url).resolve(SDK));
  try {
    const file = join(dirname(from.resolve(`${name}/package.json`)), process.platform === "win32" ? "claude.exe" : "claude");
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined; // not installed
  }
}
