/** Changes every text in a JSON-like value, and with `changeName` the names of its fields; `undefined` stays what it is. */
export function mapTexts<Value>(
  value: Value,
  change: (text: string) => string,
  changeName: (name: string) => string = (name) => name,
): Value {
  return visit(value, change, changeName) as Value; // same shape, other texts
}

function visit(value: unknown, change: (text: string) => string, changeName: (name: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => visit(item, change, changeName));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [changeName(key), visit(item, change, changeName)]));
}
