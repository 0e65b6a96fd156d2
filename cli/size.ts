/** Bytes as kilobytes of 1,024: `12.45 KB`. */
export function kilobytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(2)} KB`;
}
