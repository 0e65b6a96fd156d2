import { HOLE, problemOfWords, type TestWords, testProblem } from "./shell-words.js";

/** A hole is where no value can be put without being read as source text; the message is a sentence's end. */
export class ShellProblem extends Error {
  override readonly name = "ShellProblem";
  constructor(
    message: string,
    /** Which hole, counted from 0. */
    readonly hole: number,
  ) {
    super(message);
  }
}

interface Heredoc {
  end: string;
  quoted: boolean;
  /** `<<-`: tabs before its lines are taken off. */
  tabs: boolean;
  /** Where in the output its end word stands. */
  slot: number;
}

const DEEPEST = 100;

/**
 * Bash source with each hole (`HOLE`) filled by the shell variable that `variable` names for it, quoted as the place asks for: as it
 * is expanded, the value is part of exactly the word the author put it into, and nothing of it is split, expanded or run.
 *
 * @param variable gives the name of the variable for the next hole, first to last
 * @throws {ShellProblem} for a hole where this cannot be done
 */
export function fillHoles(source: string, variable: () => string): string {
  const out: string[] = [];
  const pending: Heredoc[] = [];
  let at = 0;
  let depth = 0;
  code(undefined);
  return out.join("");

  /** Commands, up to the bracket that closes them. */
  function code(close: ")" | undefined): void {
    if (++depth > DEEPEST) fail("the brackets around it go too deep");
    let words: string[] = [];
    let word = "";
    let cases = 0;
    let redirected = false; // the next word is a file, or the text of <<<
    let tests: TestWords | undefined;
    const endWord = () => {
      if (word === "") return;
      if (redirected) {
        redirected = false;
        word = "";
        return;
      }
      if (word === "]]" && tests) tests = undefined;
      tests?.push(word);
      if (word === "[[") tests ??= [];
      const problem = problemOfWords(words, word) ?? testProblem(tests ?? []);
      if (problem) fail(problem, -1);
      if (atCommand(words) && word === "case") cases++;
      if (atCommand(words) && word === "esac") cases--;
      words.push(word);
      word = "";
    };
    const endCommand = () => {
      endWord();
      words = [];
    };

    while (at < source.length) {
      const char = source[at] ?? "";
      const from = at;
      if (char === ")") endCommand();
      if (char === ")" && close && cases <= 0) break;
      if (char === " " || char === "\t") {
        endWord();
        copy(1);
      } else if (char === "\n") {
        endCommand();
        copy(1);
        bodies();
      } else if (char === "#" && word === "") comment();
      else if (source.startsWith("<<<", at)) {
        endWord();
        redirected = true;
        copy(3);
      } else if (source.startsWith("<<", at)) {
        endWord();
        heredoc();
      } else if (/[<>]\(/y.test(source.slice(at, at + 2))) {
        copy(2);
        code(")");
        word += "()";
      } else if (source.startsWith("((", at)) {
        copy(2);
        arithmetic(2);
        word += "()";
      } else if (char === "(") {
        endCommand();
        copy(1);
        code(")");
        endCommand();
      } else if (";&|)".includes(char)) {
        endCommand();
        copy(1);
      } else if ("<>".includes(char)) {
        endWord();
        redirected = tests === undefined;
        copy(1);
      } else {
        const nested = unit();
        word += nested ? "$()" : source.slice(from, at);
      }
    }
    endCommand();
    depth--;
    copy(1);
  }

  /** One piece of a word outside of quotes. Whether it was a piece with commands of its own. */
  function unit(): boolean {
    const char = source[at];
    if (char === HOLE) fill(`"$`, `"`);
    else if (char === "\\" && source[at + 1] === HOLE) at++;
    else if (char === "\\") copy(2);
    else if (char === "'") single("'");
    else if (char === '"') double();
    else if (char === "`") backticks();
    else if (source.startsWith("$'", at)) single("$'");
    else if (char === "$") return dollar();
    else copy(1);
    return false;
  }

  /** `$(…)`, `$((…))`, `${…}`, `$$`, or a plain variable. Whether it was commands. */
  function dollar(): boolean {
    const [start] = /\$(?:\(\(|\(|\{|\[|[$#]|)/y.exec(source.slice(at, at + 3)) ?? ["$"];
    copy(start.length);
    if (start === "$(") code(")");
    if (start === "$((") arithmetic(2);
    if (start === "$[") without("]", "$[…] computes with what stands in it; use a variable: n={{ … }}");
    if (start === "${") braces();
    return start === "$(";
  }

  function single(open: "'" | "$'"): void {
    copy(open.length);
    while (at < source.length && source[at] !== "'") {
      if (source[at] === HOLE) fill(`'"$`, `"${open}`);
      else if (open === "$'" && source[at] === "\\") backslash();
      else copy(1);
    }
    copy(1);
  }

  function double(): void {
    copy(1);
    while (at < source.length && source[at] !== '"') expanding();
    copy(1);
  }

  /** One piece of a text in which variables are expanded but not split. */
  function expanding(): void {
    const char = source[at];
    if (char === HOLE) fill("${", "}");
    else if (char === "\\") backslash();
    else if (char === "`") backticks();
    else if (char === "$") dollar();
    else copy(1);
  }

  /** Before a hole it is a backslash of its own, since it would else take the variable's meaning away. */
  function backslash(): void {
    const isLast = source[at + 1] === HOLE;
    copy(isLast ? 1 : 2);
    if (isLast) out.push("\\");
  }

  function backticks(): void {
    copy(1);
    while (at < source.length && source[at] !== "`") {
      if (source[at] === HOLE) fail("it stands in `…`; write $(…) instead");
      copy(source[at] === "\\" && source[at + 1] !== HOLE ? 2 : 1);
    }
    copy(1);
  }

  function braces(): void {
    const sentence = "it stands in a variable's braces; put it into another variable first, such as x={{ … }}, and use that";
    let open = 1;
    while (at < source.length && open > 0) {
      if (source[at] === HOLE) fail(sentence);
      if (source[at] === "}") open--;
      if (source.startsWith("${", at)) {
        open++;
        copy(1);
      }
      copy(source[at] === "\\" && source[at + 1] !== HOLE ? 2 : 1);
    }
  }

  function arithmetic(brackets: number): void {
    let open = brackets;
    while (at < source.length && open > 0) {
      if (source[at] === HOLE)
        fail("it stands in ((…)), where bash would run what a value holds; compute with a tool, or test it by [ … ] first");
      if (source[at] === "(") open++;
      if (source[at] === ")") open--;
      copy(1);
    }
  }

  function without(close: string, sentence: string): void {
    while (at < source.length && source[at] !== close) {
      if (source[at] === HOLE) fail(sentence);
      copy(1);
    }
    copy(1);
  }

  function comment(): void {
    while (at < source.length && source[at] !== "\n") {
      if (source[at] === HOLE) fill("$", "");
      else copy(1);
    }
  }

  /** The `<<` and its end word; its body comes after the line. */
  function heredoc(): void {
    const [operator = "", tabs = ""] = /<<(-?)[ \t]*/y.exec(source.slice(at)) ?? [];
    copy(operator.length);
    const [word = ""] = /(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;&|<>()'"\\])*/sy.exec(source.slice(at)) ?? [];
    if (word.includes(HOLE)) fail("it stands in the end word of <<; write a plain word there");
    const end = word.replace(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
      (_, one?: string, two?: string, three?: string) => one ?? two ?? three ?? "",
    );
    pending.push({ end, quoted: /['"\\]/.test(word), tabs: tabs === "-", slot: out.length });
    copy(word.length);
  }

  function bodies(): void {
    for (const each of pending.splice(0)) body(each);
  }

  function body({ end, quoted, tabs, slot }: Heredoc): void {
    const stop = endOfBody(end, tabs);
    const holes = source.slice(at, stop).includes(HOLE);
    if (quoted && holes && !/^\w+$/.test(end)) fail(`it stands after <<"${end}"; write a plain word such as <<'END'`);
    if (quoted && holes) out[slot] = end;
    while (at < stop) {
      if (!quoted) expanding();
      else if (source[at] === HOLE) fill("${", "}");
      else {
        if (holes && "\\$`".includes(source[at] ?? "")) out.push("\\");
        copy(1);
      }
    }
  }

  function endOfBody(end: string, tabs: boolean): number {
    let start = at;
    while (start < source.length) {
      const newline = source.indexOf("\n", start);
      const line = source.slice(start, newline < 0 ? source.length : newline);
      if ((tabs ? line.replace(/^\t+/, "") : line) === end || newline < 0) return start;
      start = newline + 1;
    }
    return start;
  }

  function fail(message: string, offset = 0): never {
    throw new ShellProblem(message, source.slice(0, at).split(HOLE).length - 1 + offset);
  }

  function fill(before: string, after: string): void {
    out.push(`${before}${variable()}${after}`);
    at++;
  }

  function copy(length: number): void {
    if (at < source.length) out.push(source.slice(at, at + length));
    at += length;
  }
}

/** Whether the next word would be a command's name. */
function atCommand(words: readonly string[]): boolean {
  return words.every(
    (word) => ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"].includes(word) || /^\w+=/.test(word),
  );
}
