import type { Place, Scalar } from "./node.js";
import type { Mark } from "./placeholder.js";

/**
 * The place of an offset within a text, looked for in what the author wrote: quotes, indentation and folded lines do not count
 * in the text, but in the file. Where it cannot be told, as after an escape, the place of the text.
 */
export function placeIn(node: Scalar, offset: number, marks: readonly Mark[]): Place {
  const text = String(node.value);
  const whole = node.raw.indexOf(text);
  if (whole >= 0) return moved(node, whole + offset);

  const before = text.slice(0, offset + 2);
  const mark = marks.toSorted((a, b) => before.lastIndexOf(b) - before.lastIndexOf(a))[0];
  const from = mark === undefined ? -1 : before.lastIndexOf(mark);
  if (mark === undefined || from < 0) return node;
  const nth = text.slice(0, from).split(mark).length;
  const pieces = node.raw.split(mark);
  if (pieces.length !== text.split(mark).length) return node;
  return moved(node, pieces.slice(0, nth).join(mark).length + offset - from);
}

function moved(node: Scalar, by: number): Place {
  const before = node.raw.slice(0, by).split("\n");
  const last = before.at(-1)?.length ?? 0;
  const column = before.length === 1 ? node.column + last : last + 1;
  return { path: node.path, line: node.line + before.length - 1, column };
}
