import type { Database } from "./database.js";

/**
 * A statement that is asked often: built once a database, and then known by its name to each connection, so that
 * neither is its text made again nor does Postgres read and plan it again.
 */
export function prepared<Statement>(build: (orm: Database["orm"]) => Statement): (db: Database) => Statement {
  const built = new WeakMap<Database["orm"], Statement>();
  return ({ orm }) => {
    const statement = built.get(orm) ?? build(orm);
    built.set(orm, statement);
    return statement;
  };
}
