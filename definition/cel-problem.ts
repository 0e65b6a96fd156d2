const KINDS: Record<string, string> = {
  int: "a number",
  uint: "a number",
  double: "a number",
  string: "a text",
  bool: "true or false",
  null_type: "nothing",
  list: "a list",
  map: "an object",
};

/** What went wrong in an expression, as a sentence's end; CEL speaks of overloads and int64. */
export function inWords(message: string): string {
  const [, name, target = "", args = ""] =
    /^found no matching overload for '(.*)' applied to '(?:(\w+)\.)?\((.*)\)'$/s.exec(message) ?? [];
  if (name === undefined) return message;
  const kinds = [target, ...args.split(", ")].filter(Boolean).map((type) => KINDS[type] ?? type);
  const operator = /^[!_@]/.test(name) ? name.replace(/^[!-]_$/, (it) => it[0] ?? it).replace(/[_@]/g, "") : name;
  const hint = name === "_-_" ? `; a name with "-" in it is written as in steps["a-b"]` : "";
  return `"${operator}" cannot be used with ${kinds.join(" and ")}${hint}`;
}

/** Why an expression cannot be parsed, and where. */
export function syntaxInWords(error: unknown, text: string): { problem: string; at: number } {
  const message = error instanceof Error ? error.message : String(error);
  const [, line = "1", column = "1", rest = message] = /^<input>:(\d+):(\d+): (.*)$/s.exec(message) ?? [];
  const before = text.split("\n").slice(0, Number(line) - 1);
  const at = before.join("\n").length + (before.length > 0 ? 1 : 0) + Number(column) - 1;
  const quote = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gs, (closed) => " ".repeat(closed.length)).search(/["']/);
  if (quote >= at) return { problem: "the quote is not closed", at: quote };
  return {
    problem: `${hintAt(text.slice(at)) ?? rest.replace(/^found (.*) but expecting .*$/s, '"$1" does not belong there')}`,
    at,
  };
}

function hintAt(rest: string): string | undefined {
  if (rest.trim() === "") return "its end is missing";
  if (/^(===|!==)/.test(rest)) return `equality is written "${rest.slice(0, 2)}"`;
  if (/^=(?!=)/.test(rest)) return 'equality is written "=="';
  const word = /^(and|or|not)\b/i.exec(rest)?.[1]?.toLowerCase();
  if (word) return `"${word}" is written "${word === "and" ? "&&" : word === "or" ? "||" : "!"}"`;
  const [operator] = /^(==|!=|<=|>=|&&|\|\||[<>+*/%-])(?=\s*$)/.exec(rest) ?? [];
  return operator === undefined ? undefined : `there is nothing after "${operator}"`;
}
