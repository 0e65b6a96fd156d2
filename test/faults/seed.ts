/** `npm run faults` has longer faults, and more of them, than CI has time for. */
export const long = process.env.LONGHAUL_FAULTS === "long";

/** All moments that look random are drawn from it: the same seed, the same moments. */
export const SEED = Number(process.env.LONGHAUL_SEED ?? 7);
