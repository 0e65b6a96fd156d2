import type { InjectedSinks } from "@temporalio/worker";
import type { Fact } from "../contract/fact.js";
import type { NarrationSinks } from "../workflows/narrator.js";

/** The sink that receives what runs tell. It must neither wait nor throw: the workflow task waits for it. */
export function narrationSinks(tell: (fact: Fact, isReplaying: boolean) => void): InjectedSinks<NarrationSinks> {
  return { narration: { tell: { fn: (info, fact) => tell(fact, info.unsafe.isReplaying), callDuringReplay: true } } };
}
