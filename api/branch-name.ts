/**
 * Whether git takes this as a branch's name (the rules of `git check-ref-format --branch`), and it can be read as
 * nothing else: no option, no range, no reflog entry.
 */
export function isBranchName(name: string): boolean {
  if (name === "" || name === "@" || name.length > 200 || name === "HEAD") return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.$|^[-/]|\/$/.test(name)) return false;
  return name.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}
