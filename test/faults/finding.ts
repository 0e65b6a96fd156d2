/** What is not as it must be, by the invariants of `checker.ts`. */
export interface Finding {
  invariant: "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10" | "I11";
  harm: Harm;
  run_id?: string;
  what: string;
}

/** What a finding comes to. `repeated`: where no step says that it may have been. `orphans`: processes, locks, half-written files. */
export const HARMS = ["lost", "repeated", "orphans", "gaps", "drift"] as const;
export type Harm = (typeof HARMS)[number];

const HARM: Record<Finding["invariant"], Harm> = {
  I1: "lost",
  I2: "lost",
  I3: "lost",
  I4: "lost",
  I5: "lost",
  I6: "gaps",
  I7: "orphans",
  I8: "orphans",
  I9: "drift",
  I10: "lost",
  I11: "lost",
};

/** Of something that has to be there once. */
export function harmOfCount(count: number): Harm {
  return count > 1 ? "repeated" : "lost";
}

export function found(invariant: Finding["invariant"], what: string, harm = HARM[invariant]): Finding {
  return { invariant, harm, what };
}
