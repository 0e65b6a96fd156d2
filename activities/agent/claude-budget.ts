import type { Options, SDKMessage, SDKResultMessage } from "@anthropic-ai/claude-agent-sdk";
import type { Left, Measure } from "../../contract/budget.js";

/** The tool by which it gives an answer of a schema: with that it has finished. */
const ANSWER_TOOL = "StructuredOutput";

/**
 * Ends a turn of Claude Code when it has spent what was left: dollars and turns are its own limits, tokens are counted here. It ends between
 * two requests, so that it can go on there; an answer that was the last one anyway stands. At its own limits the tools of the answer that
 * reached them are broken off, as when its worker dies.
 */
export class ClaudeBudget {
  spentUp: Measure | undefined;
  private tokens = 0;
  private isStopped = false;
  private text = "";
  private data: unknown;

  constructor(
    private readonly left: Left = {},
    /** The step's own limit. */
    private readonly maxTurns?: number,
  ) {}

  get options(): Pick<Options, "maxBudgetUsd" | "maxTurns" | "hooks"> {
    const turns = Math.min(this.maxTurns ?? Number.POSITIVE_INFINITY, this.left.turns ?? Number.POSITIVE_INFINITY);
    return {
      ...(this.left.usd === undefined ? {} : { maxBudgetUsd: this.left.usd }),
      ...(Number.isFinite(turns) ? { maxTurns: turns } : {}),
      ...(this.left.tokens === undefined
        ? {}
        : { hooks: { PostToolBatch: [{ hooks: [async (batch) => this.afterTools(batch)] }] } }),
    };
  }

  see(message: SDKMessage): void {
    if (message.type === "stream_event") this.count(message.event);
    if (message.type !== "assistant" || message.parent_tool_use_id !== null) return;
    for (const block of message.message.content) {
      if (block.type === "text") this.text = block.text;
      if (block.type === "tool_use" && block.name === ANSWER_TOOL) this.data = block.input;
    }
  }

  /**
   * A turn's result as it would be without a limit, when its last answer reached it, and with the answers that there were; `spentUp` says
   * afterwards what was spent up before it had finished.
   */
  told(result: SDKResultMessage): SDKResultMessage {
    this.spentUp = this.measureOf(result);
    // Claude Code counts the answer that it did not ask for any more.
    const isCounted = result.subtype === "error_max_turns" || this.spentUp === "tokens";
    if (isCounted) return { ...result, num_turns: result.num_turns - 1 };
    if (result.subtype !== "error_max_budget_usd" || this.spentUp) return result;
    const { text, data } = this;
    const whole = { ...result, subtype: "success", is_error: false, result: text };
    return { ...whole, ...(data === undefined ? {} : { structured_output: data }) } as unknown as SDKResultMessage; // all that is read of one
  }

  private measureOf(result: SDKResultMessage): Measure | undefined {
    if (result.subtype === "error_max_budget_usd") return this.hasFinished(result) ? undefined : "usd";
    const { turns } = this.left;
    if (result.subtype === "error_max_turns" && turns !== undefined && turns < (this.maxTurns ?? Number.POSITIVE_INFINITY))
      return "turns";
    return this.isStopped && result.stop_reason === "tool_use" ? "tokens" : undefined;
  }

  private hasFinished({ stop_reason }: SDKResultMessage): boolean {
    return stop_reason === "end_turn" || this.data !== undefined;
  }

  private count(event: Extract<SDKMessage, { type: "stream_event" }>["event"]): void {
    if (event.type === "message_start") {
      const { input_tokens, cache_creation_input_tokens } = event.message.usage;
      this.tokens += input_tokens + (cache_creation_input_tokens ?? 0);
    }
    if (event.type === "message_delta") this.tokens += event.usage.output_tokens;
  }

  private afterTools(batch: { hook_event_name: string; tool_calls?: { tool_name: string }[] }) {
    const isAnswer = batch.tool_calls?.some(({ tool_name }) => tool_name === ANSWER_TOOL);
    if (isAnswer || this.tokens < (this.left.tokens ?? Number.POSITIVE_INFINITY)) return {};
    this.isStopped = true;
    return { continue: false, stopReason: "The budget is spent." };
  }
}
