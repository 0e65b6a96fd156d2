import type { SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import type { AgentUsage } from "./answer.js";
import { type Answer, readTranscript, spentBy } from "./claude-transcript.js";
import { grown, NOTHING, plus, type Spent } from "./spent.js";

/** Where a session stood when an attempt began. */
export interface SessionStart {
  /** Prompts that it had. */
  promptsBefore: number;
  /** What its count stood at, where the transcript does not say it. */
  forkedTotal?: Spent | undefined;
}

/** What one process of an attempt did in its session. */
interface Share {
  /** The session's count as the process found it. */
  before: Spent;
  /** The same as it told it at its end; null: it was killed. */
  after: Spent | null;
  answers: Map<string, Answer>;
  /** Answers as it told them, having come to its end by itself. */
  turns?: number;
}

/**
 * What an attempt has used. Claude Code counts over all of a session, but a process that is killed counts nothing, and one that is
 * told to end not what comes at that moment: there the answers count that its transcript has, at the price of the others.
 *
 * @param result of the attempt's last process, if it has told one
 */
export function usageSince(
  start: SessionStart,
  transcript: string | undefined,
  result: SDKResultMessage | undefined,
): AgentUsage {
  const shares = sharesIn(transcript, start);
  if (result) {
    const last = shares.pop() ?? { before: start.forkedTotal ?? NOTHING, answers: new Map<string, Answer>() };
    const after = spentBy({ totalCostUSD: result.total_cost_usd, modelUsage: { ...result.modelUsage } });
    shares.push({ ...last, after, turns: result.num_turns });
  }
  const counts = shares.map(countOf);
  const told = counts.filter(({ cost_usd }) => cost_usd > 0).reduce(plus, NOTHING);
  const untold = counts.filter(({ cost_usd }) => cost_usd === 0).reduce(plus, NOTHING);
  const price = priceOf(told) ?? priceOf(shares[0]?.before ?? NOTHING);
  const isUnpriced = weightOf(untold) > 0 && price === null;
  return {
    ...plus(told, untold),
    cost_usd: isUnpriced ? null : rounded(told.cost_usd + (price ?? 0) * weightOf(untold)),
    turns: shares.reduce((sum, { turns, answers }) => sum + (turns ?? answers.size), 0),
    model: mainModel(result) ?? shares.flatMap(({ answers }) => [...answers.values()]).at(-1)?.model ?? null,
  };
}

/** What a process has used; without its cost where it has not told all of it. */
function countOf({ before, after, answers, turns }: Share): Spent {
  const seen = [...answers.values()].map(({ spent }) => spent).reduce(plus, NOTHING);
  const told = after ? grown(before, after) : null;
  const isAll = told && (turns !== undefined || told.input_tokens + told.output_tokens >= seen.input_tokens + seen.output_tokens);
  return isAll ? told : seen;
}

/** Each process had one prompt. */
function sharesIn(transcript: string | undefined, { promptsBefore, forkedTotal }: SessionStart): Share[] {
  const shares: Share[] = [];
  let prompts = 0;
  let total = NOTHING;
  for (const entry of readTranscript(transcript)) {
    if ("prompt" in entry && prompts++ === promptsBefore) total = forkedTotal ?? total;
    if ("prompt" in entry && prompts > promptsBefore) shares.push({ before: total, after: null, answers: new Map() });
    const share = shares.at(-1);
    if ("answer" in entry) share?.answers.set(entry.answer.id, entry.answer);
    if ("total" in entry) {
      total = entry.total;
      if (share) share.after = total;
    }
  }
  return shares;
}

function mainModel(result: SDKResultMessage | undefined): string | undefined {
  const models = Object.entries(result?.modelUsage ?? {});
  return models.toSorted(([, a], [, b]) => b.outputTokens - a.outputTokens)[0]?.[0];
}

/** Dollars for an input token; null where nothing says. */
function priceOf(spent: Spent): number | null {
  const weight = weightOf(spent);
  return weight > 0 && spent.cost_usd > 0 ? spent.cost_usd / weight : null;
}

/** In input tokens: all other prices of Anthropic's models are these multiples of theirs. */
function weightOf(spent: Spent): number {
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = spent;
  return input_tokens + 5 * output_tokens + 0.1 * cache_read_input_tokens + 1.25 * cache_creation_input_tokens;
}

/** Without what floating numbers add. */
function rounded(dollars: number): number {
  return Math.round(dollars * 1e9) / 1e9;
}
