/**
 * The command of an agent that is named `acp:<command>`, as its program and arguments: split at spaces, with quotes around what has
 * some. No shell reads it. Null for any other name, without a program, and where a quote is not closed.
 */
export function acpCommand(name: string): [program: string, ...args: string[]] | null {
  if (!name.startsWith("acp:")) return null;
  const words: string[] = [];
  let rest = name.slice("acp:".length).trimStart();
  while (rest !== "") {
    const [word] = WORD.exec(rest) ?? [];
    if (word === undefined) return null;
    words.push(word.replace(QUOTED, (_, double?: string, single?: string) => double ?? single ?? ""));
    rest = rest.slice(word.length).trimStart();
  }
  const [program, ...args] = words;
  return program ? [program, ...args] : null;
}

const QUOTED = /"([^"]*)"|'([^']*)'/g;
const WORD = /^(?:"[^"]*"|'[^']*'|[^\s"'])+(?=\s|$)/;
