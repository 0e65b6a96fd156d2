import { findBinary, type UserBinary, versionOf, versionWarning as warningOf } from "./user-binary.js";

export const CODEX: UserBinary = {
  title: "Codex",
  program: "codex",
  setting: "LONGHAUL_CODEX_BIN",
  package: "@openai/codex",
  tested: "0.169",
};

/** The user's own `codex` binary. @throws {AgentNotInstalledError} */
export function codexBinary(configured?: string, path?: string): string {
  return findBinary(CODEX, configured, path);
}

/** @throws {AgentNotInstalledError} */
export function codexVersion(binary: string): Promise<string> {
  return versionOf(CODEX, binary);
}

export function versionWarning(version: string): string | null {
  return warningOf(CODEX, version);
}
