import { expect, test } from "vitest";
import { repoOfUrl } from "./git.js";

test.each([
  "https://github.com/acme/shop.git",
  "git@github.com:acme/shop.git",
  "ssh://git@host:22/acme/shop",
  "/srv/acme/shop.git/",
])("%s is acme's shop", (url) => {
  expect(repoOfUrl(url)).toEqual({ owner: "acme", name: "shop" });
});

test.each(["", "shop", "https://"])("%j names no repository", (url) => {
  expect(repoOfUrl(url)).toBeNull();
});
