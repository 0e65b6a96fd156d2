import { paint, print, type Style, screenWidth, withoutControls } from "./output.js";

export interface Column<Row> {
  title: string;
  text: (row: Row) => string;
  style?: (row: Row) => Style | undefined;
  /** Shortened when a line gets too long; without it a cell is always whole. */
  shrinks?: boolean;
  align?: "right";
}

const GAP = "  ";
/** A column that shrinks keeps as many characters. */
const LEAST = 8;

/** Print rows below their titles, in lines no wider than the screen as far as columns may shrink. */
export function printTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): void {
  for (const line of tableLines(rows, columns, screenWidth())) print(line);
}

/** The lines of a table: the titles, then one a row. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width: number): string[] {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.text(row))));
  const widths = widthsOf(columns, cells, width);
  const lineOf = (texts: readonly string[], style: (i: number) => Style | undefined) =>
    texts
      .map((text, i) => {
        const last = i === texts.length - 1;
        const short = shortened(text, widths[i] ?? 0);
        const blanks = " ".repeat(Math.max(0, (widths[i] ?? 0) - displayWidth(short)));
        const wanted = style(i);
        const painted = wanted ? paint(wanted, short) : short;
        if (columns[i]?.align === "right") return blanks + painted;
        return last ? painted : painted + blanks;
      })
      .join(GAP)
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  return [lineOf(titles, () => "gray"), ...rows.map((row, r) => lineOf(cells[r] ?? [], (i) => columns[i]?.style?.(row)))];
}

/** How many columns of a terminal a text takes: two for what East Asian scripts and pictures need. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

function shortened(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let short = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (displayWidth(short + segment) > width - 1) break;
    short += segment;
  }
  return `${short}…`;
}

function widthsOf<Row>(columns: readonly Column<Row>[], cells: string[][], width: number): number[] {
  const widths = columns.map(({ title }, i) => Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[i] ?? ""))));
  const total = () => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1);
  // The widest gives first.
  while (total() > width) {
    const shrinkable = columns.flatMap(({ shrinks }, i) => (shrinks && (widths[i] ?? 0) > LEAST ? [i] : []));
    const widest = shrinkable.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function oneLine(text: string): string {
  return withoutControls(text).replace(/\s+/g, " ");
}
