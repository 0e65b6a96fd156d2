import { defineConfig } from "drizzle-kit";

/**
 * `app` and `mirror` are migrated apart, so that `mirror` can be dropped and made again by itself.
 * SCHEMA names the one to generate for: `SCHEMA=mirror npx drizzle-kit generate --name what-changed`.
 */
const schema = process.env.SCHEMA === "mirror" ? "mirror" : "app";

export default defineConfig({
  dialect: "postgresql",
  schema: `./db/${schema}-tables.ts`,
  out: `./db/migrations/${schema}`,
});
