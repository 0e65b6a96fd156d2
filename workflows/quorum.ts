import { ApplicationFailure } from "@temporalio/workflow";
import type { GivenAnswer, Quorum } from "../contract/approval.js";
import type { DelegateMessage } from "../contract/messages.js";

/** Whom an approval needs, and what was said so far. Pure but for its errors' type. */
export interface Ballot extends Quorum {
  given: readonly GivenAnswer[];
}

/** What the answers come to: true or false once they decide, null while more are needed. Rejections decide, too, when too few are left who could approve. */
export function verdictOf({ approvers, required = 1, rejections = 1, given }: Ballot): boolean | null {
  const approved = given.filter((answer) => answer.approved).length;
  const rejected = given.length - approved;
  if (approved >= required) return true;
  if (rejected >= rejections) return false;
  return approvers && approvers.length - rejected < required ? false : null;
}

/**
 * Whether this person may answer now.
 *
 * @throws {ApplicationFailure} `not_approver` when others are asked; `has_answered` when it is their second answer.
 */
export function mayAnswer({ approvers, given }: Ballot, by: string | null, what: string): void {
  if (by !== null && given.some((answer) => answer.by === by))
    throw refused("has_answered", `${by} has answered ${what} already.`);
  if (!approvers || (by !== null && approvers.includes(by))) return;
  const others = `${by ?? "nobody"} is none of them; one of them may delegate it`;
  throw refused("not_approver", `Only ${listOf(approvers)} may answer ${what}: ${others}.`);
}

/**
 * The approvers, once one of them has handed their answer to somebody else.
 *
 * @throws {ApplicationFailure} `not_approver`, `has_answered` as `mayAnswer`; `not_delegated` when that cannot be.
 */
export function delegated(ballot: Ballot, { by, to }: Pick<DelegateMessage, "by" | "to">, what: string): string[] {
  const { approvers } = ballot;
  if (!approvers) throw refused("not_delegated", `Anybody may answer ${what}: there is nothing to hand over.`);
  mayAnswer(ballot, by, what);
  if (ballot.given.some((answer) => answer.by === to)) throw refused("not_delegated", `${to} has answered ${what} already.`);
  if (approvers.includes(to)) throw refused("not_delegated", `${to} is to answer ${what} in any case.`);
  return approvers.map((each) => (each === by ? to : each));
}

function listOf(names: readonly string[]): string {
  return names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} others` : names.join(", ");
}

function refused(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}
