/** Changes every text in a JSON-like value; `undefined` stays what it is. */
export function mapTexts<Value>(value: Value, change: (text: string) => string): Value {
  return visit(value, change) as Value; // same shape, other texts
}

function visit(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => visit(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, change)]));
}
