/** A row's moment as the wire has it. */
export function iso(moment: Date): string {
  return moment.toISOString();
}

export function isoOrNull(moment: Date | null): string | null {
  return moment === null ? null : moment.toISOString();
}

/** Milliseconds from start to end; null while one of them is missing. Never negative, whatever the clocks did. */
export function duration(start: Date | null, end: Date | null): number | null {
  return start && end ? Math.max(0, end.getTime() - start.getTime()) : null;
}
