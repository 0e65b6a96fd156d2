import type { TextRule } from "./fields.js";

/** What is safe in a URL, and as a file's name. */
export const URL_SAFE = /^[A-Za-z0-9_-]{1,100}$/;

export const URL_SAFE_WORDS = 'what is safe in a URL: letters a to z, digits, "-" and "_"';

/** Names that are parts of URLs, or of files. */
export const URL_SAFE_NAME: TextRule = { pattern: { matches: URL_SAFE, words: URL_SAFE_WORDS } };
