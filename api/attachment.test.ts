import { expect, test } from "vitest";
import { contentDisposition } from "./attachment.js";

test.each([
  ["report.txt", "attachment; filename=\"report.txt\"; filename*=UTF-8''report.txt"],
  ['a"\r\nX: y', "attachment; filename=\"a___X: y\"; filename*=UTF-8''a%22%0D%0AX%3A%20y"],
  ["Grüße (1)'.md", "attachment; filename=\"Gr__e (1)'.md\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%281%29%27.md"],
  ["\ud800.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt"],
])("the name %j stays within its header", (name, header) => {
  expect(contentDisposition(name)).toBe(header);
});
