/** What opens a placeholder: `{{` closes with `}}`, `${` with `}`. */
export type Mark = "{{" | "${";

const MARK_START = /[{$]/g;

/** A stretch of a text: as it is (escapes already taken out), or what stands between the marks of a placeholder. Offsets are in UTF-16 units. */
export type Stretch =
  | { text: string; offset: number }
  /** `inside` is undefined when the placeholder is never closed. `offset`: of its mark. `start`: of `inside`. */
  | { inside: string | undefined; offset: number; start: number; source: string };

/**
 * Cut a text at its placeholders. A backslash before a mark makes the mark text; a backslash before that one makes itself text. So
 * `\{{` is `{{`, and `\\{{ a }}` is a backslash before the value of `a`. Elsewhere backslashes are as they are. Of more braces the last
 * are the mark: `{{{ a }}}` is the value of `a` in braces.
 */
export function placeholdersIn(text: string, marks: readonly Mark[]): Stretch[] {
  const stretches: Stretch[] = [];
  let plain = "";
  let plainFrom = 0;
  let at = 0;
  while (at < text.length) {
    const mark = marks.find((each) => text.startsWith(each, at));
    if (!mark) {
      MARK_START.lastIndex = at + 1;
      const next = MARK_START.exec(text)?.index ?? text.length;
      plain += text.slice(at, next);
      at = next;
      continue;
    }
    const slashes = /\\*$/.exec(plain)?.[0].length ?? 0;
    plain = plain.slice(0, plain.length - Math.ceil(slashes / 2));
    if (slashes % 2 === 1) {
      plain += mark;
      at += mark.length;
      continue;
    }
    const start = at + mark.length;
    if (text[start] === "{" && marks.some((each) => text.startsWith(each, at + 1))) {
      plain += text[at++]; // no reference begins with a brace: the next mark is the one
      continue;
    }
    const close = closeOf(text, start, mark);
    if (plain !== "") stretches.push({ text: plain, offset: plainFrom });
    plain = "";
    const end = close === undefined ? text.length : close + (mark === "{{" ? 2 : 1);
    stretches.push({
      inside: close === undefined ? undefined : text.slice(start, close),
      offset: at,
      start,
      source: text.slice(at, end),
    });
    at = end;
    plainFrom = end;
  }
  if (plain !== "") stretches.push({ text: plain, offset: plainFrom });
  return stretches;
}

/**
 * A text that `placeholdersIn` gives back as it is.
 *
 * @param next the mark that follows it, if any: it may make another one with the text's end
 */
export function escapeMarks(text: string, marks: readonly Mark[], next?: Mark): string {
  const pattern = new RegExp(
    `(\\\\*)(${marks.map((mark) => mark.replace(/[{$]/g, "\\$&")).join("|")}${next ? "|[{$]?$" : ""})`,
    "g",
  );
  return text.replace(pattern, (whole, slashes: string, found: string) => {
    if (found.length === 2) return `${slashes}${slashes}\\${found}`;
    return marks.some((mark) => `${found}${next}`.startsWith(mark)) ? slashes + whole : whole;
  });
}

/** Where the placeholder ends: quoted texts and inner braces are skipped; when that finds no end, at the first sign of one. */
function closeOf(text: string, start: number, mark: Mark): number | undefined {
  const close = mark === "{{" ? "}}" : "}";
  let depth = 0;
  let quote = "";
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote) {
      if (char === "\\") at++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'") quote = char;
    else if (depth === 0 && text.startsWith(close, at)) return at;
    else if (char === "{") depth++;
    else if (char === "}") depth--;
  }
  const first = text.indexOf(close, start);
  return first < 0 ? undefined : first;
}
