import type { Json } from "../contract/json.js";
import type { PanelStrategy } from "../contract/panel.js";
import { objectIn } from "../definition/answer.js";
import { equal, isObject } from "../definition/equal.js";
import type { AgentResult } from "../sdk/context.js";

/** A member's answer. */
export interface PanelVoice {
  name: string;
  answer: Pick<AgentResult, "text" | "data">;
}

/** Whose answer is the panel's, and who gave the same. */
export interface PanelVerdict {
  winner: string;
  agreed: string[];
}

export interface PanelRule {
  strategy: PanelStrategy;
  /** Fields of the answer by which a majority is found. Left out: the whole answer. */
  agreeOn?: readonly string[] | undefined;
}

/**
 * What a panel of `size` agents has decided by the answers so far, in the order in which they came; undefined while it has not.
 * Of those who agree, the one who was first has the word. A panel of which every answer is needed decides nothing.
 */
export function verdictOf(
  { strategy, agreeOn }: PanelRule,
  size: number,
  voices: readonly PanelVoice[],
): PanelVerdict | undefined {
  if (strategy === "all") return undefined;
  if (strategy === "race") return voices[0] && { winner: voices[0].name, agreed: [voices[0].name] };
  const opinions = voices.map(({ name, answer }) => ({ name, opinion: opinionOf(answer, agreeOn) }));
  for (const { name, opinion } of opinions) {
    if (opinion === undefined) continue;
    const agreed = opinions.filter((other) => equal(other.opinion, opinion)).map((other) => other.name);
    if (agreed.length * 2 > size) return { winner: name, agreed };
  }
  return undefined;
}

/** What is compared: the answer's data, else the JSON object that its text is or ends with, else the text. Without a field that counts there is no opinion. */
function opinionOf({ data, text }: PanelVoice["answer"], agreeOn: readonly string[] | undefined): Json | undefined {
  const said = (data as Json | undefined) ?? objectIn(text) ?? text.trim(); // data came as JSON
  if (agreeOn === undefined) return said;
  if (!isObject(said) || agreeOn.some((field) => !Object.hasOwn(said, field))) return undefined;
  return Object.fromEntries(agreeOn.map((field) => [field, said[field] ?? null]));
}
