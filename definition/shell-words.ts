/** What stands for a reference in bash source; a command can hold no NUL of its own. */
export const HOLE = "\0";

/** The words of a `[[ … ]]` so far. */
export type TestWords = string[];

const SHELLS = /^(?:.*\/)?(?:ba|da|z|k|a)?sh$/;
const INTERPRETERS = /^(?:.*\/)?(?:python[\d.]*|node|deno|bun|perl|ruby|php)$/;
const PREFIXES = new Set(["if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "command", "builtin"]);
const DECLARING = new Set([
  "declare",
  "typeset",
  "local",
  "readonly",
  "export",
  "unset",
  "read",
  "mapfile",
  "readarray",
  "getopts",
  "let",
]);

/**
 * What is wrong with a word that has a hole in it, for the words of its command before it: bash, or a program named there, would read the
 * value as source text.
 */
export function problemOfWords(before: readonly string[], word: string): string | undefined {
  if (!word.includes(HOLE)) return undefined;
  if (/^[A-Za-z_]\w*\[[^\]]*\0/.test(word)) return "it stands in an index, which bash computes; put it elsewhere";
  const words = [...before, word];
  const name = words.find((each) => !PREFIXES.has(each) && !/^\w+\+?=/.test(each)) ?? word;
  const last = before.at(-1) ?? "";
  const isScript =
    name === "eval" ||
    (/^-[a-zA-Z]*c$/.test(last) && before.some((each) => SHELLS.test(each))) ||
    (/^(?:-[a-zA-Z]*[cepr]|--eval|--print)$/.test(last) && before.some((each) => INTERPRETERS.test(each)));
  if (isScript && !/^(["']?)\0\1$/.test(word))
    return "it is part of a script there; hand it over: bash -c 'echo \"$1\"' _ {{ … }}";
  if (DECLARING.has(name) && isComputed(name, before, word)) return `"${name}" would compute with it; assign it by x={{ … }}`;
  if (last === "-v" && ["printf", "test", "["].includes(name)) return "after -v bash would compute with it";
  return undefined;
}

/** What is wrong with a `[[ … ]]`: where it compares numbers, bash computes with, and so runs, what a value holds. */
export function testProblem(words: TestWords): string | undefined {
  const computes = words.some((word) => /^-(?:eq|ne|lt|le|gt|ge|v)$/.test(word));
  const asks = computes && words.some((word) => word.includes(HOLE));
  return asks ? "[[ … ]] would compute with it; use [ … ] for numbers" : undefined;
}

/** Whether the hole is in a variable's name, or in what is computed. */
function isComputed(name: string, before: readonly string[], word: string): boolean {
  if (name === "read" || name === "mapfile" || name === "readarray") return !/^-/.test(before.at(-1) ?? "");
  return name === "let" || before.some((each) => /^-\w*i/.test(each)) || !/^["']?[A-Za-z_]\w*\+?=/.test(word);
}
