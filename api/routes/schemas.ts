import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../../package-root.js";
import { HttpError } from "../problem.js";
import { type Route, route } from "../route.js";

const NAMES = ["phases", "stages", "dag", "tools"];

/** Seconds for which an editor need not ask again. */
const FRESH = 3_600;

/** The JSON schemas of definitions, for editors. */
export function schemaRoutes(): Route[] {
  return [
    route({
      method: "get",
      path: "/:file",
      summary: "Get the JSON schema of a dialect of definitions",
      params: z.strictObject({ file: z.string().max(100) }),
      answers: { 200: null },
      media: { answer: "application/schema+json" },
      handle: async ({ params: { file } }, _req, res) => {
        const [, name = ""] = /^(\w+)(?:\.schema)?\.json$/.exec(file) ?? [];
        if (!NAMES.includes(name)) throw new HttpError(404, "not_found", `There is no schema ${file}. There are: ${listed}.`);
        const text = await readFile(join(packageRoot, "schemas", `${name}.schema.json`));
        res.set("Cache-Control", `public, max-age=${FRESH}`).type("application/schema+json").send(text);
        return null;
      },
    }),
  ];
}

const listed = NAMES.map((name) => `${name}.schema.json`).join(", ");
