/** A source map of version 3, as compilers write it. */
export interface SourceMap {
  sources: string[];
  sourceRoot?: string;
  mappings: string;
}

/** Where a piece of a built script comes from. */
export interface Origin {
  /** In the script, from 0. */
  line: number;
  column: number;
  source: string;
  /** From 1. */
  sourceLine: number;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Every piece that the map names, in the script's order. */
export function originsOf({ mappings, sources }: SourceMap): Origin[] {
  const origins: Origin[] = [];
  let source = 0;
  let sourceLine = 0;
  for (const [line, pieces] of mappings.split(";").entries()) {
    let column = 0;
    for (const piece of pieces.split(",")) {
      const [byColumns, bySources, byLines] = numbersIn(piece);
      column += byColumns ?? 0;
      if (bySources === undefined || byLines === undefined) continue;
      source += bySources;
      sourceLine += byLines;
      origins.push({ line, column, source: sources[source] ?? "", sourceLine: sourceLine + 1 });
    }
  }
  return origins;
}

/** Base64 digits of five bits each, the lowest first; the sixth bit says that more follow, the first bit of a number its sign. */
function numbersIn(piece: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of piece) {
    const bits = DIGITS.indexOf(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}
