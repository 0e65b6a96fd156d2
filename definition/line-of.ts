/** Whether nothing stands before this place in its line. */
export function isFirst(text: string, at: number): boolean {
  return text.slice(lineStart(text, at), at).trim() === "";
}

/** The start of its line, or of the comments right above that stand in the same column; not of those that begin the file. */
export function withComments(text: string, at: number): number {
  const own = lineStart(text, at);
  let start = own;
  while (start > 0) {
    const line = lineStart(text, start - 1);
    const indent = /^ *(?=#)/.exec(text.slice(line, start))?.[0].length;
    if (indent !== at - own) return start;
    start = line;
  }
  return own;
}

/** From 0. */
export function columnOf(text: string, at: number): number {
  return at - lineStart(text, at);
}

export function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

/** Before the line break. */
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}
