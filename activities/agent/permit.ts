import type { Halt } from "../../contract/halt.js";
import type { Json } from "../../contract/json.js";
import type { DecidedPermit } from "../../contract/permit.js";
import { kindOf } from "./permit-rule.js";
import { gist, oneLine } from "./trail.js";

/** What an agent asks its client for, in the terms of any provider. */
export interface PermitRequest {
  tool: string;
  input: Json;
  /** Why, in its words. */
  reason?: string | undefined;
  /** It asks something: JSON schema of the answer's fields. */
  question?: Json | undefined;
}

/**
 * `allow`: it may go on; `fields` answer a question. `deny`: it is told why and goes on without. `halt`: the provider ends the turn, as soon
 * as what else runs is over, and gives the halt in its end; the request itself is refused with `ASKED`.
 */
export type Permitted = { allow: true; fields?: Json } | { deny: string } | { halt: Halt };

/** Decides on what the agent's own permission mode does not cover. */
export type Permit = (request: PermitRequest) => Promise<Permitted>;

/** What a request is answered by which a person is asked about: the turn ends, and the session goes on with the answer. */
export const ASKED = "A person is asked whether you may do this. Stop here; you will be told.";

export interface PermitGround {
  permission: "default" | "plan" | "acceptEdits" | "bypassPermissions";
  /** Somebody may be asked. @default false */
  attended?: boolean;
  /** Rules of what was allowed for the whole run. @default none */
  granted?: readonly string[];
  /** Decided in earlier rounds of this turn; those that are used up are marked here. @default none */
  decided?: DecidedPermit[];
  /** The run's tree. */
  tree: string;
  /** Who asks, as a sentence begins with it. */
  who: string;
  mask: (text: string) => string;
}

/** Of a request, in characters: it goes through the history and is shown on a page. */
const INPUT_CHARS = 4_000;
const GIST_CHARS = 500;

export function createPermit(ground: PermitGround): Permit {
  const { permission, attended = false, granted = [], decided = [], tree, who, mask } = ground;
  return async ({ tool, input, reason, question }) => {
    if (permission === "plan" && !question) return { deny: `${tool} may change something, and this step only plans.` };
    if (!attended) return { deny: unattended(tool, permission) };
    const kind = await kindOf(tool, input, tree);
    const known = decided.findLast(({ call }) => call === kind.call);
    if (known && !known.allowed) return { deny: refusalOf(known) };
    if (known?.question) return { allow: true, fields: known.fields ?? null };
    if (known?.scope === "run" || (!question && granted.includes(kind.rule))) return { allow: true };
    if (known && !known.used) {
      known.used = true;
      return { allow: true };
    }
    const masked: Json = JSON.parse(mask(JSON.stringify(input)));
    const why = reason ? { reason: cut(mask(reason), GIST_CHARS) } : {};
    const permit = {
      ...{ tool, input: shown(masked), ...why, call: kind.call, rule: kind.rule },
      ...(question ? { question } : { for_run: kind.words }),
    };
    const what = oneLine(gist(masked)).replaceAll(`${tree}/`, "");
    const message = question
      ? `${who} asks: ${questionsIn(masked)}`
      : `${who} asks whether it may use ${tool} in ${tree}: ${what}${why.reason ? ` (${why.reason})` : ""}`;
    return { halt: { why: "permission", permit, message } };
  };
}

/** What the session is told that goes on after a halt. */
export function toldOf(permit: DecidedPermit): string {
  const { tool, input, allowed, question, fields } = permit;
  const what = `${tool} (${oneLine(gist(input))})`;
  const goOn = "Continue where you left off; what you have already done is still there.";
  if (question)
    return allowed
      ? `${goOn} You asked a question, and the answer is: ${JSON.stringify(fields)}`
      : `${goOn} ${refusalOf(permit)}`;
  if (!allowed) return `${goOn} You were stopped at ${what}. ${refusalOf(permit)}`;
  const further = permit.scope === "run" ? ` So is ${permit.for_run}, from now on.` : "";
  return `${goOn} You were stopped at ${what}: it is allowed now.${further} Do it exactly as you were about to, unless you have done it since, and go on.`;
}

/** Also listed among what was denied. */
export function refusalOf({ tool, question, by, comment }: DecidedPermit): string {
  const who = by === null ? "Nobody has answered in time" : "A person refused";
  const why = comment ? `: ${comment}` : ".";
  if (question)
    return `${by === null ? who : "A person did not want to answer your question"}${why} Decide it yourself, and say how.`;
  return `${by === null ? `${who}, so ${tool} is refused` : `${who} ${tool}`}${why} Do not try it again, nor get round it; go on without it, or say what you would have done.`;
}

function unattended(tool: string, permission: string): string {
  return `${tool} needs a person's consent in the mode "${permission}", and nobody can be asked while the run goes on. Do without it, or say what you would have done.`;
}

function questionsIn(input: Json): string {
  const { questions = [] } = input as { questions?: { question?: string }[] }; // as its schema was made of it
  return cut(questions.flatMap(({ question }) => question ?? []).join(" "), GIST_CHARS);
}

function shown(input: Json): Json {
  const text = JSON.stringify(input);
  return text.length > INPUT_CHARS ? cut(text, INPUT_CHARS) : input;
}

function cut(text: string, chars: number): string {
  return text.length > chars ? `${text.slice(0, chars)} … (${text.length} characters)` : text;
}
