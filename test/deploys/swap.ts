/** What is to be found in a text, and what stands there instead. */
export type Swap = [from: string, to: string];

/**
 * A change of a text by one swap, `from, to`, or by several in their order.
 *
 * @throws {Error} when the text has not what is to be changed.
 */
export function swapping(name: string, given: readonly (string | Swap)[]): (source: string) => string {
  const [from, to] = given;
  const swaps =
    typeof from === "string" && typeof to === "string"
      ? [[from, to] satisfies Swap]
      : given.filter((part): part is Swap => Array.isArray(part));
  return (source) =>
    swaps.reduce((text, [old, now]) => {
      if (!text.includes(old)) throw new Error(`${name}: there is no ${JSON.stringify(old)}.`);
      return text.replace(old, () => now);
    }, source);
}
