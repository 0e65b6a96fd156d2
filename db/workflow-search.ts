import { type SQL, sql } from "drizzle-orm";
import { escapeLike } from "./escape-like.js";
import { workflows } from "./schema.js";

/** What a search asks of the rows of `workflows`. */
export interface WorkflowSearch {
  hits: SQL;
  /** How well a row fits, 0 to 5,000,000: of the row and the text alone, so that pages keep their order. */
  score: SQL<number>;
}

/**
 * The search for a text that somebody typed; null for one that says nothing.
 *
 * A word finds all words that begin with it, in name, tags, author and description; all words must be there. `"a phrase"` stands
 * together, `or` is one of both, `-word` is not there. Besides, the text as it is finds the names and descriptions that it is a part of.
 */
export function searchFor(text: string): WorkflowSearch | null {
  const asked = text.trim();
  if (asked === "") return null;
  const { name, slug, description, search } = workflows;
  const part = `%${escapeLike(asked)}%`;
  const begins = `${escapeLike(asked)}%`;
  // Without signs, quotes stand around lexemes alone: each becomes the beginning of a word.
  const words = sql`regexp_replace(websearch_to_tsquery('pg_catalog.simple', ${plainWords(asked)})::text, '''([^'']+)''', '''\\1'':*', 'g')::tsquery`;
  return {
    hits: sql`(${search} @@ ${words} or ${name} ilike ${part} or ${slug} ilike ${part} or ${description} ilike ${part})`,
    score: sql<number>`(
      case
        when lower(${name}) = lower(${asked}::text) or ${slug} = lower(${asked}::text) then 4000000
        when ${name} ilike ${begins} or ${slug} ilike ${begins} then 3000000
        when ${name} ilike ${part} or ${slug} ilike ${part} then 2000000
        when ${search} @@ ${words} then 1000000
        else 0
      end + (least(ts_rank(${search}, ${words}), 1) * 999999)::int)`,
  };
}

/** The text with spaces for signs, as the searched columns have them; quotes stay, and a minus before a word. */
function plainWords(text: string): string {
  return text.replace(/((?<!\S)-(?=[\p{L}\p{N}"]))|[!#-/:-@[-`{-~]/gu, (_sign, minus?: string) => minus ?? " ");
}
