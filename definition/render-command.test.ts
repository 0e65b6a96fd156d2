import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import { commandProblem, renderCommand } from "./render-command.js";
import type { Scope } from "./scope.js";
import { parseTemplate } from "./template.js";

const folder = mkdtempSync(join(tmpdir(), "longhaul-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

const NASTY = [
  "plain",
  "",
  " two  words ",
  "line one\nline two\n",
  "\n\n",
  "it's",
  `"quoted"`,
  "$(touch pwned)",
  "`touch pwned`",
  "$HOME ${HOME} $((1+1)) $'\\n'",
  `"; touch pwned; #`,
  `'; touch pwned; #`,
  "a & touch pwned | x > pwned",
  "-rf",
  "--help",
  "*",
  "[a-z]* ?",
  "~",
  "{a,b}",
  "back\\slash\\",
  "\\",
  "\\'",
  "!!",
  "tab\tand\rreturn",
  "日本 é 👩‍👩‍👧 \u202e",
  "\u0001\u001b[31m\u007f",
  "a[$(touch pwned)]",
  "END",
  "\nEND\ntouch pwned\n",
  "#x",
  "=x",
  "$LH_1",
  "%s%n\\n",
];

/** In which the reference's value is all that is printed. */
const PLACES: Record<string, string> = {
  bare: "printf '%s' {{ x }}",
  "in double quotes": `printf '%s' "{{ x }}"`,
  "in single quotes": "printf '%s' '{{ x }}'",
  "in $'…'": "printf '%s' $'{{ x }}'",
  'in $"…"': `printf '%s' $"{{ x }}"`,
  "after =": `y={{ x }}; printf '%s' "$y"`,
  "after an option's =": `f() { printf '%s' "\${1#--value=}"; }; f --value={{ x }}`,
  "in an array": `a=({{ x }}); [ \${#a[@]} -eq 1 ] && printf '%s' "\${a[0]}"`,
  "in a for": `for y in {{ x }}; do printf '%s' "$y"; done`,
  "in a case": `case {{ x }} in "{{ x }}") printf '%s' {{ x }} ;; *) echo other ;; esac`,
  "in [[ ]]": `[[ {{ x }} == '{{ x }}' ]] && printf '%s' {{ x }}`,
  "in [ ]": `[ {{ x }} = "{{ x }}" ] && printf '%s' {{ x }}`,
  "after a backslash": `printf '%s' \\\\{{ x }}`,
  "in a substitution": `y=$(printf '%s.' {{ x }}); printf '%s' "\${y%.}"`,
  "in a quoted substitution": `y="$(printf '%s.' "{{ x }}")"; printf '%s' "\${y%.}"`,
  "in quotes in a substitution in quotes": `y="$(printf '%s.' '{{ x }}')"; printf '%s' "\${y%.}"`,
  "in a case in a substitution": `y=$(case a in a) printf '%s.' {{ x }} ;; (b) ;; esac); printf '%s' "\${y%.}"`,
  "in a subshell": "(printf '%s' {{ x }})",
  "in a group": "{ printf '%s' {{ x }}; }",
  "in a process substitution": "cat <(printf '%s' {{ x }})",
  "in a pipe": "printf '%s' {{ x }} | cat",
  "in a function": "f() { printf '%s' {{ x }}; }; f",
  "after an apostrophe in a comment": "# don't {{ x }}\nprintf '%s' {{ x }} # isn't",
  "in another command's argument": `bash -c 'printf "%s" "$1"' _ {{ x }}`,
  "as a whole script's argument": `bash -c "printf '%s' \\"\\$1\\"" _ "{{ x }}"`,
  "in a heredoc": "y=$(cat <<END\n{{ x }}.\nEND\n); printf '%s' \"${y%.}\"",
  "in a heredoc with a quoted end": "y=$(cat <<'END'\n{{ x }}.\nEND\n); printf '%s' \"${y%.}\"",
  "in a heredoc with tabs": 'y=$(cat <<-"END"\n\t{{ x }}.\n\tEND\n); printf \'%s\' "${y%.}"',
  "in a substitution in a heredoc": "y=$(cat <<END\n$(printf '%s.' {{ x }})\nEND\n); printf '%s' \"${y%.}\"",
  "after a heredoc": "cat <<END >/dev/null\nit's\nEND\nprintf '%s' {{ x }}",
  "in a here-string": `IFS= read -rd '' y <<< {{ x }}; printf '%s' "\${y%$'\\n'}"`,
  "after arithmetic": `y=$((2 << 1)); (( y < 5 )); printf '%s' {{ x }}`,
  "after a variable's length": `y=abc; z=\${#y}; printf '%s' {{ x }}`,
  "after the count of arguments": `[ $# = 0 ] && printf '%s' {{ x }}`,
};

test.each(Object.entries(PLACES))("a value %s arrives byte for byte as one word", (_, template) => {
  for (const value of NASTY) expect(bash(template, { x: value }), JSON.stringify(value)).toBe(value);
});

test("any value arrives, in any place", { timeout: 120_000 }, () => {
  const text = fc.string({ unit: "binary", maxLength: 60 }).filter((value) => !value.includes("\0") && value.isWellFormed());
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(PLACES)), text, (template, value) => {
      expect(bash(template, { x: value })).toBe(value);
    }),
    { numRuns: 150 },
  );
});

test("quotes in quotes in quotes, with references at every depth, print what they would with the values written out", {
  timeout: 120_000,
}, () => {
  fc.assert(
    fc.property(wordOf(3), fc.constantFrom(...NASTY), fc.constantFrom(...NASTY), ({ source, parts }, x, y) => {
      const text = `printf '%s' ${source}`
        .split(/\{\{ ([xy]) \}\}/)
        .map((part, i): string | Ref => (i % 2 ? ["name", part] : part));
      expect(bash({ text }, { x, y })).toBe(parts({ x, y }));
    }),
    { numRuns: 150 },
  );
});

test("what is no text arrives as JSON", () => {
  expect(bash("printf '%s' {{ x }}", { x: { a: [1, null, "it's"] } })).toBe(`{"a":[1,null,"it's"]}`);
  expect(bash("printf '%s' {{ x }}", { x: 1.5 })).toBe("1.5");
});

test("the issue title that would be a command touches nothing", () => {
  const file = join(folder, "pwn");
  expect(bash("echo {{ x }}", { x: `"; touch ${file}; #` })).toBe(`"; touch ${file}; #\n`);
  expect(existsSync(file)).toBe(false);
});

test("the shell's own variables stay the shell's", () => {
  expect(bash(`X=1; printf '%s' "\${X}$X\${Y:-'2'}" {{ x }}`, { x: "3" })).toBe("11'2'3");
});

test("a reference written twice is one variable, and a command without any is as it was", () => {
  const { command, env } = rendered("a {{ x }} {{ x }} '{{ y }}'", { x: "1", y: "2" });
  expect(command).toBe(`a "$LH_1" "$LH_1" ''"$LH_2"''`);
  expect(env).toEqual({ LH_1: "1", LH_2: "2" });
  expect(renderCommand({ literal: "echo 'a" }, scopeOf({}))).toEqual({ command: "echo 'a", env: {} });
});

test.each([
  ["echo `cat {{ x }}`", "write $(…) instead"],
  ["echo $(( {{ x }} + 1 ))", "compute"],
  ["(( {{ x }} > 1 ))", "compute"],
  ["echo $[ {{ x }} ]", "computes"],
  ["let n={{ x }}", "compute"],
  ["[[ {{ x }} -eq 1 ]]", "use [ … ]"],
  ["[[ 1 -lt {{ x }} && a ]]", "use [ … ]"],
  ["a[{{ x }}]=1", "index"],
  ["echo ${a:-{{ x }}}", "another variable first"],
  [`echo "\${a:-{{ x }}}"`, "another variable first"],
  ["declare -i n={{ x }}", "compute"],
  ["declare {{ x }}=1", "compute"],
  ["printf -v {{ x }} a", "compute"],
  ["read {{ x }}", "compute"],
  ["bash -c 'echo {{ x }}'", "hand it over"],
  [`sudo /bin/sh -ec "echo {{ x }}"`, "hand it over"],
  [`eval "echo {{ x }}"`, "hand it over"],
  [`node -e 'console.log("{{ x }}")'`, "hand it over"],
  ["cat <<{{ x }}\nEND", "plain word"],
  ["cat <<'the end'\n{{ x }}\nthe end", "plain word"],
])("where a value would be read as source text the command is refused: %s", (template, why) => {
  expect(() => rendered(template, { x: "1" })).toThrow(why);
  expect(() => rendered(template, { x: "1" })).toThrow('"x" cannot stand where it does in the command');
  expect(commandProblem(parsed(template))).toContain(why);
});

test.each(["bash -c {{ x }}", `eval "{{ x }}"`])("a script that is a value as a whole is meant so: %s", (template) => {
  expect(bash(template, { x: "printf '%s' ran" })).toBe("ran");
});

test("a value that no variable can hold is refused, and named", () => {
  expect(() => rendered("echo {{ a.x }}", { a: { x: "a\0b" } })).toThrow('The value of "a.x" holds a NUL character');
  expect(() => rendered("echo {{ x }}", { x: "\ud800" })).toThrow("half of a character");
  expect(() => rendered("echo {{ x }}", { x: "x".repeat(200_000) })).toThrow("longer than 128 KiB");
  expect(bash("printf '%s' {{ x }}", { x: "é".repeat(65_000) })).toBe("é".repeat(65_000));
});

test("a value that is not there is no command", () => {
  expect(() => rendered("echo {{ nothing }}", {})).toThrow('"nothing"');
});

const scopeOf = (input: Json): Scope => ({ input, context: {}, steps: {}, vars: {}, run: {}, names: ["input"] });
const parsed = (template: string) => parseTemplate(template, { marks: ["{{"], toRef: (path) => ["name", ...path] }).value;
const rendered = (template: string | Value, input: Json) =>
  renderCommand(typeof template === "string" ? parsed(template) : template, scopeOf(input));

/** What bash prints for a command. Its output goes to a file, so that nothing is lost on the way. */
function bash(template: string | Value, input: Json): string {
  const { command, env } = rendered(template, input);
  const out = join(folder, "out");
  const { stderr, status } = spawnSync("bash", ["-c", `exec >"$OUT"; ${command}\n:`], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: "/home", LC_ALL: "C.UTF-8", OUT: out, ...env },
    encoding: "utf8",
  });
  expect({ command, stderr, status }).toEqual({ command, stderr: "", status: 0 });
  expect(existsSync(join(folder, "pwned")), command).toBe(false);
  return readFileSync(out, "utf8");
}

/** A word of bash source with references to x and y, and what it is when they are given. */
interface Word {
  source: string;
  parts: (values: { x: string; y: string }) => string;
}

function wordOf(depth: number): fc.Arbitrary<Word> {
  const reference = fc
    .constantFrom<"x" | "y">("x", "y")
    .map((name): Word => ({ source: `{{ ${name} }}`, parts: (values) => values[name] }));
  const plain = fc.constantFrom("a", "B-", "1.").map((text): Word => ({ source: text, parts: () => text }));
  const inSingle = (open: string, texts: readonly [string, string][]) =>
    sequence([reference, fc.constantFrom(...texts).map(([source, text]): Word => ({ source, parts: () => text }))], open, "'");
  const kinds: fc.Arbitrary<Word>[] = [
    reference,
    plain,
    inSingle("'", [
      ["$x", "$x"],
      ['"', '"'],
      ["`(", "`("],
      ["\\", "\\"],
      ["# ", "# "],
    ]),
    inSingle("$'", [
      ["\\'", "'"],
      ["\\n", "\n"],
      ["$(", "$("],
      ['"', '"'],
    ]),
  ];
  if (depth > 0) {
    const text = fc.constantFrom<[string, string]>(
      ["'", "'"],
      ['\\"', '"'],
      ["\\$", "$"],
      ["# (", "# ("],
      ["\\\\", "\\"],
      [" ", " "],
      ["$'", "$'"],
    );
    const literal = text.map(([source, text]): Word => ({ source, parts: () => text }));
    const substitution = wordOf(depth - 1).map(
      ({ source, parts }): Word => ({ source: `$(printf '%s' ${source})`, parts: (values) => parts(values).replace(/\n+$/, "") }),
    );
    const heredoc = fc
      .tuple(fc.boolean(), sequence([reference, fc.constantFrom<Word>({ source: "it's (", parts: () => "it's (" })], "", ""))
      .map(
        ([quoted, { source, parts }]): Word => ({
          source: `$(cat <<${quoted ? "'_E_'" : "_E_"}\n${source}\n_E_\n)`,
          parts: (values) => parts(values).replace(/\n+$/, ""),
        }),
      );
    kinds.push(sequence([reference, literal, substitution, heredoc], '"', '"'));
  }
  return sequence(kinds, "", "");
}

function sequence(kinds: fc.Arbitrary<Word>[], open: string, close: string): fc.Arbitrary<Word> {
  return fc.array(fc.oneof(...kinds), { minLength: 1, maxLength: 4 }).map((words) => ({
    source: open + words.map(({ source }) => source).join("") + close,
    parts: (values) => words.map(({ parts }) => parts(values)).join(""),
  }));
}
