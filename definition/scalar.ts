/** What is wrong with a single value, whatever the format: what could not be kept, or not as it was written. */
export function scalarProblem(value: string | number | boolean | null, raw: string): string | undefined {
  if (typeof value === "string") return textProblem(value);
  if (typeof value !== "number") return undefined;
  if (!Number.isFinite(value)) return `${raw} is no number that can be kept. Write a smaller one, or put it in quotes.`;
  if (/^[-+]?\d+$/.test(raw) && String(value) !== raw.replace("+", "")) {
    return `${raw} would be kept as the number ${value}. Put it in quotes if it is a text.`;
  }
  return undefined;
}

function textProblem(text: string): string | undefined {
  if (text.includes("\0")) return "This text has a NUL character in it, which cannot be stored. Take it away.";
  if (!text.isWellFormed()) return "This text has half of a surrogate pair in it, which cannot be stored. Take it away.";
  return undefined;
}
