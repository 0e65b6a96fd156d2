/** From the least to the most urgent. Apart from `log.ts`, whose schemas every run would evaluate for them. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
