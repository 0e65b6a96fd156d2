import { expect, test } from "vitest";
import { displayWidth, tableLines } from "./table.js";

const columns = [
  { title: "ID", text: (row: string[]) => row[0] ?? "" },
  { title: "NAME", text: (row: string[]) => row[1] ?? "", shrinks: true },
  { title: "N", text: (row: string[]) => row[2] ?? "", align: "right" as const },
];

test("columns stand below their titles, numbers to the right", () => {
  expect(
    tableLines(
      [
        ["run_1", "one", "1"],
        ["run_22", "", "12"],
      ],
      columns,
      80,
    ),
  ).toEqual(["ID      NAME   N", "run_1   one    1", "run_22        12"]);
});

test("only columns that may shrink are shortened, to the width there is", () => {
  const lines = tableLines([["run_0123456789", "a name that is much too long", "1"]], columns, 32);

  expect(lines[1]).toBe("run_0123456789  a name that …  1");
  expect(tableLines([["run_0123456789", "a name that is long", "1"]], columns, 10)[1]).toContain("run_0123456789");
});

test("wide characters take two columns, joined ones are not cut apart", () => {
  expect(displayWidth("日本")).toBe(4);
  expect(displayWidth("👩‍👩‍👧é")).toBe(3);
  expect(tableLines([["1", "日本語のとても長い名前", "1"]], columns, 20)[1]).toBe("1   日本語のとて…  1");
});

test("a cell is one line, and moves no cursor", () => {
  expect(tableLines([["1", "two\nlines\u001b[2J", "1"]], columns, 80)[1]).toBe("1   two lines  1");
});
