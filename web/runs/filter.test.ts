import { expect, test } from "vitest";
import { filterOf } from "./filter.js";

test("an address says which runs are shown; what it says wrongly, it does not say", () => {
  expect(filterOf({ project: "prj_1", status: "running,nonsense,failed", q: "", branch: 3, other: "x" })).toEqual({
    project: "prj_1",
    status: ["running", "failed"],
  });
  expect(filterOf({ status: ["running", "waiting"] })).toEqual({ status: ["running", "waiting"] });
  expect(filterOf({})).toEqual({});
});
