import { ActivityCancellationType, CancellationScope, proxyActivities, proxyLocalActivities } from "@temporalio/workflow";
import type { Activities, CloseGateInput } from "../activities/index.js";
import type { KeepOutputInput, KeptOutput } from "../activities/oversize.js";

/** Temporal's own retry serves lost workers alone: everything an activity throws is final. */
const LOST_WORKER_TRIES = 5;

/** How long an activity without a time limit of its own may take: a month. */
const LONGEST = 30 * 24 * 3_600_000;

/** Past the step's own limit, which the worker keeps: only a worker that is stuck runs into this. */
const GRACE = 60_000;

/**
 * The activities, labelled for Temporal's page.
 *
 * @param summary what the bar says: "run-tests: npm test".
 */
export function activitiesFor(summary: string, { timeout }: { timeout?: number | undefined }) {
  return proxyActivities<Activities>({
    summary: summary.slice(0, 120),
    startToCloseTimeout: timeout ? timeout + GRACE : LONGEST,
    heartbeatTimeout: "20 seconds",
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { maximumAttempts: LOST_WORKER_TRIES, initialInterval: "10ms", backoffCoefficient: 3, maximumInterval: "5 seconds" },
  });
}

/** Longer than a write to Postgres takes, and so short that the workflow task, of 10 s, is over before Temporal gives it to another. */
const NEAR_LIMIT = "4 seconds";

/** On the worker that closes the run, as part of its last workflow task: it costs Temporal one event. */
const near = proxyLocalActivities<Activities>({
  summary: "close",
  startToCloseTimeout: NEAR_LIMIT,
  scheduleToCloseTimeout: NEAR_LIMIT,
  retry: { maximumAttempts: 1 },
});

/** What a local activity is given stays on its worker: no value is too large for it. */
const { keepOutput: keepBeside } = proxyLocalActivities<Pick<Activities, "keepOutput">>({
  summary: "output",
  startToCloseTimeout: "30 seconds",
  retry: { maximumAttempts: 5, initialInterval: "200ms" },
});

/** Keeps what the run gives, of any size. A cancel does not stop it. @throws when there is no place for it. */
export function keepOutput(input: KeepOutputInput): Promise<KeptOutput> {
  return CancellationScope.nonCancellable(() => keepBeside(input));
}

/** Waits for Postgres as long as it takes, and comes again after every lost worker. */
const patient = proxyActivities<Activities>({
  summary: "close",
  startToCloseTimeout: LONGEST,
  heartbeatTimeout: "20 seconds",
  retry: { initialInterval: "100ms", maximumInterval: "10 seconds" },
});

/** The run's last act, once more with patience when it does not succeed at once. A cancel does not stop it. */
export async function closeGate(input: CloseGateInput): Promise<void> {
  const atOnce = () => near.closeGate(input);
  const cancelled = CancellationScope.current().consideredCancelled;
  await (cancelled ? CancellationScope.nonCancellable(atOnce) : atOnce()).catch(() =>
    CancellationScope.nonCancellable(() => patient.closeGate(input)),
  );
}
