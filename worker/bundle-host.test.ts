import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { z } from "zod";
import { builtFile } from "../package-root.js";

test("the zod of runs has all that zod has, under the same names", () => {
  const ofRuns = createRequire(import.meta.url)(builtFile("workflow-host.cjs.zod.cjs")) as { z: typeof z; default: typeof z };
  expect(ofRuns.default).toBe(ofRuns.z);

  const shape = (namespace: object) => Object.fromEntries(Object.entries(namespace).map(([name, value]) => [name, typeof value]));
  const { z: _z, default: _default, ...itself } = ofRuns.z as object as Record<string, unknown>;
  expect(shape(itself)).toEqual(shape(z));
  for (const name of ["core", "util", "regexes", "locales", "iso", "coerce"] as const) {
    expect(shape(ofRuns.z[name]), name).toEqual(shape(z[name]));
  }
});

test("a run encodes with Node's encoder: Temporal's own is not in the bundle", () => {
  const bundle = readFileSync(builtFile("workflow-host.cjs"), "utf8");
  expect(bundle).toContain("./dist/workflows/encoding.js");
  expect(bundle).not.toContain("node_modules/@temporalio/common/lib/encoding.js");
});
