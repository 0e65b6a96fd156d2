/** Of a definition's text, in UTF-16 code units. */
export const MAX_LENGTH = 1_000_000;
/** Lists and maps within one another. */
export const MAX_DEPTH = 100;
/** Values in all. */
export const MAX_NODES = 100_000;
/** Values that YAML aliases repeat. */
export const MAX_ALIASED = 10_000;
/** The least parts of a YAML text, each word, indicator and space. */
export const MAX_LEXEMES = 400_000;
/** Steps of a definition. */
export const MAX_STEPS = 10_000;
/** Tries of a step. */
export const MAX_TRIES = 100;
/** Steps at once, and items of a for-each at once. */
export const MAX_CONCURRENCY = 1000;
