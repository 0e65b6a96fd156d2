import type { PlanCheck } from "../contract/plan.js";
import { Check } from "../contract/verify.js";
import { asText, render } from "../definition/render.js";
import { renderCommand } from "../definition/render-command.js";
import type { Scope } from "../definition/scope.js";
import type { AgentCheck } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { defined } from "./call.js";

const WORDS = new Map([
  ["treeChanged", "tree_changed"],
  ["fileExists", "file_exists"],
  ["branchPushed", "branch_pushed"],
  ["timeout", "timeout_ms"],
]);

/** A workflow's checks of an agent's step; or, as `invalid_input`, what is wrong with them. */
export function checksOf(key: string, checks: readonly AgentCheck[] = []): Check[] | StepFailed {
  const all = Array.isArray(checks) ? checks : [checks];
  const parsed = all.map((check: unknown) => Check.safeParse(renamed(check)));
  const wrong = parsed.findIndex(({ success }) => !success);
  if (wrong < 0 && Array.isArray(checks)) return parsed.flatMap(({ data }) => data ?? []);
  const what = wrong < 0 ? "is a list of checks, and not" : "has what is no check:";
  return new StepFailed(key, "invalid_input", `"verify" of "${key}" ${what} ${JSON.stringify(all[Math.max(wrong, 0)])}.`);
}

function renamed(check: unknown): unknown {
  if (typeof check !== "object" || check === null) return check;
  return Object.fromEntries(Object.entries(check).map(([word, value]) => [WORDS.get(word) ?? word, value]));
}

/** A plan's checks, with all references looked up. @throws {RenderError} */
export function renderChecks(checks: readonly PlanCheck[] = [], scope: Scope): Check[] {
  return checks.map((check): Check => {
    if ("tree_changed" in check) return check;
    if ("file_exists" in check) return { file_exists: asText(render(check.file_exists, scope)) };
    if ("branch_pushed" in check) {
      const { branch_pushed: branch } = check;
      return { branch_pushed: branch === true || asText(render(branch, scope)) };
    }
    const { command, env } = renderCommand(check.command, scope);
    const values = Object.keys(env).length > 0 ? { env } : {};
    return { command, ...values, ...defined({ timeout_ms: check.timeout_ms }) };
  });
}
