import { createHmac, timingSafeEqual } from "node:crypto";
import type { Payload, PayloadCodec, SerializationContext } from "@temporalio/common";
import { UNVERIFIED } from "./contract/messages.js";
import { readKeys } from "./key-file.js";

const MAC = "longhaul-mac";

/**
 * Signs every payload with an HMAC over the workflow id and the data, kept in the payload's metadata.
 * The data stays readable in Temporal's own page. A payload without a good signature decodes to the
 * `UNVERIFIED` marker: throwing here would leave a run stuck for ever on one forged signal.
 *
 * Keys lie in `<home>/keys/payload`, one hex line each: the first signs, all verify, so that keys can be
 * changed while runs go on.
 */
export async function createPayloadCodec(home: string): Promise<PayloadCodec> {
  return payloadCodec(await readKeys(home, "payload", "runs are signed with it"));
}

/** @param keys the first signs, all verify. */
export function payloadCodec(keys: readonly Buffer[]): PayloadCodec {
  const [signing] = keys;
  if (!signing) throw new Error("There is no key to sign payloads with.");

  return {
    async encode(payloads, context) {
      return payloads.map((payload) => ({
        ...payload,
        metadata: { ...payload.metadata, [MAC]: mac(signing, payload, context) },
      }));
    },
    async decode(payloads, context) {
      return payloads.map((payload) => {
        const given = payload.metadata?.[MAC];
        const good = given && keys.some((key) => equal(given, mac(key, payload, context)));
        return good ? payload : unverified;
      });
    },
  };
}

const unverified: Payload = {
  metadata: { encoding: Buffer.from("json/plain") },
  data: Buffer.from(JSON.stringify({ [UNVERIFIED]: true })),
};

function mac(key: Buffer, { data, metadata }: Payload, context: SerializationContext | undefined): Uint8Array {
  return createHmac("sha256", key)
    .update(context?.workflowId ?? "")
    .update("\0")
    .update(bytes(metadata?.encoding))
    .update("\0")
    .update(bytes(data))
    .digest();
}

/** An empty field may come as nothing or as an empty array, as protobuf decodes it. */
function bytes(field: Uint8Array | null | undefined): Uint8Array {
  return field instanceof Uint8Array ? field : Uint8Array.from(field ?? []);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
