const ends: (() => unknown)[] = [];

/** Has something ended when the test file is through, the last one first; also from within a hook. */
export function whenThrough(end: () => unknown): void {
  ends.push(end);
}

export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}
