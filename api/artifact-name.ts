const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/** What is wrong with a name for a file that is to lie in one folder, on any system; null when nothing is. */
export function artifactNameProblem(name: string): string | null {
  if (name === "" || name.trim() === "") return "is empty";
  if (Buffer.byteLength(name) > 255) return "has more than 255 bytes";
  if (/[\p{Cc}\p{Surrogate}]/u.test(name)) return "holds a control character or half of a surrogate pair";
  if (/[/\\]|%(2e|2f|5c|00)/i.test(name)) return "must be a name without folders";
  if (/^\.{1,2}$/.test(name) || /[. ]$|^ /.test(name)) return "begins with a space, or ends with a dot or space";
  if (RESERVED.test(name)) return "is reserved by some systems";
  return null;
}
