import { proxyActivities } from "@temporalio/workflow";
import { z } from "zod";
import type { tick } from "./raw-activity.js";

const { tick: act } = proxyActivities<{ tick: typeof tick }>({ startToCloseTimeout: "1 hour" });

const Input = z.object({ steps: z.number() });

/** The same steps, on input checked the same, as the benchmark's workflow file, on Temporal alone. */
export async function ticks(steps: number): Promise<number[]> {
  const input = Input.parse({ steps });
  const times: number[] = [];
  for (let i = 0; i < input.steps; i++) times.push(await act(i));
  return times;
}
