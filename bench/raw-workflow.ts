import { proxyActivities } from "@temporalio/workflow";
import type { tick } from "./raw-activity.js";

const { tick: act } = proxyActivities<{ tick: typeof tick }>({ startToCloseTimeout: "1 minute" });

/** The same steps as the benchmark's workflow file, on Temporal alone. */
export async function ticks(steps: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < steps; i++) times.push(await act(i));
  return times;
}
