/** The trivial step: when it ran, in milliseconds. */
export async function tick(_i: number): Promise<number> {
  return Date.now();
}
