import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { Plan } from "../contract/plan.js";

/** The version of a plan: the sha256 of its canonical JSON (RFC 8785), in hex. */
export function versionOf(plan: Plan): string {
  return createHash("sha256")
    .update(canonicalize(plan) ?? "")
    .digest("hex");
}
