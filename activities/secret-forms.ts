import { LEAST_HIDDEN, linesOf } from "../contract/secret.js";

/** Columns after which programs break lines of base64. */
const WRAPS = [64, 76];
/** How often a text may have become a string of JSON within a string of JSON. */
const JSON_DEPTH = 3;

/**
 * The texts by which a secret can be known: as it is, each of its lines, and either as base64 (wherever in a longer text it
 * was encoded), URL-encoded, and escaped as in JSON. None shorter than four characters.
 */
export function formsOf(secret: string): Set<string> {
  const forms = new Set<string>();
  for (const text of new Set([secret, secret.trim(), ...linesOf(secret)])) {
    if (text.length < LEAST_HIDDEN) continue;
    for (const form of [text, ...inJson(text), ...inUrls(text), ...inBase64(text)]) {
      if (form.length >= LEAST_HIDDEN) forms.add(form);
    }
  }
  return forms;
}

function inJson(text: string): string[] {
  const escaped = (plain: string) => JSON.stringify(plain).slice(1, -1);
  const ways: ((plain: string) => string)[] = [
    escaped,
    (plain) => escaped(plain).replaceAll("/", "\\/"),
    (plain) => escaped(plain).replace(/[<>&]/g, unicode),
    (plain) => escaped(plain).replace(/[^ -~]/g, unicode),
    (plain) => escaped(plain).replace(/[^ -~]/g, (char) => unicode(char).toUpperCase().replace("U", "u")),
  ];
  return ways.flatMap((way) => {
    const forms = [way(text)];
    while (forms.length < JSON_DEPTH) forms.push(escaped(forms.at(-1) ?? ""));
    return forms;
  });
}

function unicode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function inUrls(text: string): string[] {
  const plain = encodeURIComponent(Buffer.from(text).toString()); // what is no text of Unicode cannot be encoded
  const strict = plain.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ "": text }).toString().slice(1);
  const paths = [plain, strict].map((one) => one.replaceAll("%2F", "/"));
  return [plain, strict, form, ...paths].flatMap((one) => [one, one.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
}

/** Three bytes become four characters, so there are three ways in which it can stand in a longer text. */
function inBase64(text: string): string[] {
  const bytes = Buffer.from(text);
  const [first = "", ...others] = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    // Of the characters at both ends some bits are the neighbours'.
    return whole.toString("base64").slice(Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6));
  });
  const lines = WRAPS.flatMap((width) => (first.length > width ? (first.match(new RegExp(`.{1,${width}}`, "g")) ?? []) : []));
  const forms = [first, ...others, ...lines];
  return [...forms, ...forms.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"))];
}
