import type { DecidedPermit, PermitDecision } from "../../contract/permit.js";
import type { PermissionDenial } from "./answer.js";
import { refusalOf } from "./permit.js";

/** What was refused in a whole turn: by people, and by its permission. */
export function denialsOf(decided: readonly DecidedPermit[], denials: readonly PermissionDenial[]): PermissionDenial[] {
  const refused = decided.filter(({ allowed, question }) => !allowed && !question);
  const reasons = new Set(refused.map(refusalOf));
  const byPeople = refused.map((permit) => ({ tool: permit.tool, input: permit.input, reason: refusalOf(permit) }));
  return [...byPeople, ...denials.filter(({ reason }) => !reasons.has(reason))]; // tried again, it was refused for the same reason
}

/** What is kept of each request: not what it is compared by. */
export function permissionsOf(decided: readonly DecidedPermit[]): PermitDecision[] {
  return decided.map(({ call: _call, rule: _rule, question: _question, used: _used, ...permit }) => permit);
}
