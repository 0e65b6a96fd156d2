import { expect, test } from "vitest";
import { compile } from "../definition/compile.js";
import { SAMPLES } from "./warm-up.js";

test.each(SAMPLES)("reads %s to its end, or it would make nothing faster", (file, text) => {
  expect(compile(text, file)).toMatchObject({ ok: true });
});
