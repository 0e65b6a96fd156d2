// Brings the database of DATABASE_URL to the newest schema and ends: for setups where nothing else starts the servers.
import { readConfig } from "../config.js";
import { migrate } from "../db/migrate.js";

try {
  const { databaseUrl } = readConfig();
  if (databaseUrl === undefined) throw new Error("DATABASE_URL must be set to the database that is to be migrated.");
  await migrate(databaseUrl);
  console.log("The database has the newest schema.");
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
