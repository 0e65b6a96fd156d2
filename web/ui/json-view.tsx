import type { Json } from "../../contract/json.js";

/** A value as text, folded away when it is long. */
export function JsonView({ title, value }: { title: string; value: Json }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <details open={text.length < 2_000} className="min-w-0 rounded-md border border-line bg-panel">
      <summary className="cursor-pointer px-3 py-2 font-medium">{title}</summary>
      <pre className="max-h-96 overflow-auto whitespace-pre-wrap break-words border-line border-t px-3 py-2 text-sm">{text}</pre>
    </details>
  );
}
