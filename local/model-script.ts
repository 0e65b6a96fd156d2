import type { Conversation, Exchange } from "./model-conversation.js";

/** One answer of the scripted model. `{cwd}` inside a tool's input stands for the client's folder. */
export type Move = (
  | { say: string }
  | { tool: string; input: Record<string, unknown> }
  | { status: number; message?: string }
  | { hang: true }
) & {
  /** Milliseconds before the answer begins; the connection is kept alive meanwhile. @default 0 */
  afterMs?: number;
  /** Until then (seconds since 1970) the account's usage limit is reached: instead of the move this is said, as the API says it. */
  limitedUntil?: number;
  /** Tokens that the answer is said to have taken. @default by its length, roughly */
  usage?: ModelUsage;
};

export interface ModelUsage {
  input: number;
  output: number;
}

/**
 * What to do when a prompt looks like this: the first move answers the prompt, the second the first
 * tool's result, and so on; the last one is repeated.
 */
export interface Rule {
  when: RegExp;
  moves: readonly Move[] | ((exchange: Exchange, conversation: Conversation) => readonly Move[]);
}

const MARKER = /\[\[(\w+)(?: ([\s\S]*?))?\]\]/g;

/**
 * Choose the next answer by the latest prompt that carries markers or meets a rule; so a bare "continue"
 * goes on with what was under way. Markers in the prompt come before rules:
 *
 * `[[say TEXT]]` · `[[answer JSON]]` · `[[write PATH TEXT]]` · `[[edit PATH OLD => NEW]]` · `[[shell COMMAND]]` ·
 * `[[tool NAME JSON]]` · `[[slow MS]]` (delays the next marker's answer) · `[[limit SECONDS]]` (until that time since 1970 the usage limit
 * is reached, then comes the next marker's answer) · `[[usage IN OUT]]` (tokens of the next marker's answer) · `[[status CODE]]` ·
 * `[[hang]]`.
 * A prompt's markers are its moves, one after the other, with "Done." behind them.
 */
export function nextMove(conversation: Conversation, rules: readonly Rule[]): Move {
  for (const exchange of conversation.exchanges.toReversed()) {
    const moves = movesFor(exchange, conversation, rules);
    if (moves.length === 0) continue;
    const answered = exchange.results.length + laterResults(conversation, exchange);
    return placed(moves[Math.min(answered, moves.length - 1)]!, conversation);
  }
  return { say: "Understood. There is nothing to do." };
}

function movesFor(exchange: Exchange, conversation: Conversation, rules: readonly Rule[]): readonly Move[] {
  const marked = markedMoves(exchange.prompt);
  if (marked.length > 0) return marked;
  const rule = rules.find(({ when }) => when.test(exchange.prompt));
  if (!rule) return [];
  return typeof rule.moves === "function" ? rule.moves(exchange, conversation) : rule.moves;
}

function laterResults(conversation: Conversation, exchange: Exchange): number {
  const later = conversation.exchanges.slice(conversation.exchanges.indexOf(exchange) + 1);
  return later.reduce((count, { results }) => count + results.length, 0);
}

function markedMoves(prompt: string): Move[] {
  const moves: Move[] = [];
  let ahead: Pick<Move, "afterMs" | "limitedUntil" | "usage"> = {};
  for (const [, name = "", argument = ""] of prompt.matchAll(MARKER)) {
    if (name === "slow") ahead = { ...ahead, afterMs: (ahead.afterMs ?? 0) + Number(argument) };
    else if (name === "limit") ahead = { ...ahead, limitedUntil: Number(argument) };
    else if (name === "usage") ahead = { ...ahead, usage: usageOf(argument) };
    else {
      moves.push({ ...markedMove(name, argument), ...ahead });
      ahead = {};
    }
  }
  if (moves.length === 0 && Object.keys(ahead).length === 0) return [];
  const last = moves.at(-1);
  if (!last || "tool" in last) moves.push({ say: "Done.", ...ahead });
  return moves;
}

function usageOf(argument: string): ModelUsage {
  const [input, output] = cut(argument, " ").map(Number) as [number, number];
  return { input, output };
}

function markedMove(name: string, argument: string): Move {
  switch (name) {
    case "say":
      return { say: argument };
    case "answer":
      return { tool: "StructuredOutput", input: JSON.parse(argument) };
    case "write": {
      const [path, content] = cut(argument, " ");
      return { tool: "Write", input: { file_path: `{cwd}/${path}`, content } };
    }
    case "edit": {
      const [path, change] = cut(argument, " ");
      const [before, after] = cut(change, " => ");
      return { tool: "Edit", input: { file_path: `{cwd}/${path}`, old_string: before, new_string: after } };
    }
    case "shell":
      return { tool: "Bash", input: { command: argument, description: "as the prompt says" } };
    case "tool": {
      const [tool, input] = cut(argument, " ");
      return { tool, input: JSON.parse(input || "{}") };
    }
    case "status":
      return { status: Number(argument) };
    case "hang":
      return { hang: true };
    default:
      return { say: `There is no marker ${name}.` };
  }
}

/** The text before and after the first separator. */
function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Put the folder in, and answer in words where the client does not offer the tool. */
function placed(move: Move, conversation: Conversation): Move {
  if (!("tool" in move)) return move;
  const text = JSON.stringify(move.input);
  if (!conversation.tools.some((tool) => tool === move.tool || (tool.endsWith("*") && move.tool.startsWith(tool.slice(0, -1))))) {
    const say = move.tool === "StructuredOutput" ? text : `I cannot do this: there is no tool ${move.tool} here.`;
    return { say };
  }
  const cwd = JSON.stringify(conversation.cwd).slice(1, -1);
  return { ...move, input: JSON.parse(text.replaceAll("{cwd}", cwd)) };
}
