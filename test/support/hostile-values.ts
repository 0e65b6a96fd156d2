import fc from "fast-check";

/** Made by any part of a value that is run instead of passed on. */
export const SIDE_FILE = "pwned";

/** What means something to a shell, to git, to a template, to a protocol. */
const FRAGMENTS = [
  `$(touch ${SIDE_FILE})`,
  `\`touch ${SIDE_FILE}\``,
  `; touch ${SIDE_FILE};`,
  `| tee ${SIDE_FILE}`,
  `> ${SIDE_FILE}`,
  `&& touch ${SIDE_FILE} #`,
  `\ntouch ${SIDE_FILE}\n`,
  `'; touch ${SIDE_FILE}; '`,
  `"; touch ${SIDE_FILE}; "`,
  `--output=${SIDE_FILE}`,
  `--upload-pack=touch ${SIDE_FILE}`,
  `--exec=touch ${SIDE_FILE}`,
  `ext::sh -c "touch ${SIDE_FILE}"`,
  `-c core.sshCommand=touch ${SIDE_FILE}`,
  `a[$(touch ${SIDE_FILE})]`,
  `\${x:=$(touch ${SIDE_FILE})}`,
  "{{ input.x }}",
  "${input.x}",
  "{{ constructor.constructor('return process')() }}",
  "$LH_1",
  "${HOME}",
  "$((1+1))",
  "'",
  '"',
  "\\",
  "`",
  "\n",
  "\r\n",
  "\t",
  "%s%n",
  "*",
  "~",
  "{a,b}",
  "!!",
  "-",
  "--",
  "-rf",
  "#",
  "=",
  "..",
  "@{-1}",
  ".lock",
  "\u0001\u001b[31m\u007f",
  "\u202e日本 é 👩‍👩‍👧",
  '{"a":1}',
  "</prompt>",
];

/** Texts of all of Unicode, of fragments that would do something elsewhere, and of both; some begin as an option does. */
const values = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(...FRAGMENTS) },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: "binary", maxLength: 8 })), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join("")),
  },
);

/** So many values, always the same ones. None holds NUL or half of a character: what cannot be passed on is refused, and tested elsewhere. */
export function hostileValues(count: number): string[] {
  const sound = values.filter((value) => !value.includes("\0") && value.isWellFormed());
  return fc.sample(sound, { numRuns: count, seed: 20_251_122 });
}
