import type { PayloadCodec } from "@temporalio/common";
import { defaultPayloadConverter } from "@temporalio/common";
import proto from "@temporalio/proto";
import { isUnverified } from "../contract/messages.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { History } from "./replayer.js";

/**
 * A history as if its run had been started with another first argument. The history given is not touched.
 *
 * @param codec of the home that the run is of.
 * @returns null when the run was not started by Longhaul.
 */
export async function withOtherSpec(
  { runId, history }: { runId: string; history: History },
  codec: PayloadCodec,
  change: (spec: RunSpec) => RunSpec,
): Promise<History | null> {
  const [first, ...rest] = history.events ?? [];
  const started = first?.workflowExecutionStartedEventAttributes;
  const [given] = started?.input?.payloads ?? [];
  if (!first || !started || !given) return null;
  const context = { type: "workflow", namespace: "", workflowId: runId } as const;
  const [plain] = await codec.decode([given], context);
  const spec = plain && defaultPayloadConverter.fromPayload<RunSpec>(plain);
  if (!spec || isUnverified(spec)) return null;

  const payloads = await codec.encode([defaultPayloadConverter.toPayload(change(spec))], context);
  const attributes = { ...started, input: { payloads } };
  const altered = { ...first, workflowExecutionStartedEventAttributes: attributes };
  return proto.temporal.api.history.v1.History.fromObject({ events: [altered, ...rest] });
}
