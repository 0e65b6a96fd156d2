/** A string of TOML: JSON's, but for one character that TOML wants escaped. */
export function toml(value: string): string {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
