/** No wait and no time limit is longer, in milliseconds: ten years. */
export const LONGEST_MS = 10 * 365 * 86_400_000;
