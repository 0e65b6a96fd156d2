import type { Command } from "commander";
import { User, UserToken } from "../../contract/user.js";
import { connect } from "../connection.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

const USER = "the user's id: small letters, digits, _ and -";

interface AddOptions extends FormatOption {
  name?: string;
}

/** `longhaul users list|add|token|revoke`: people whose answers carry their names. */
export function addUsers(program: Command): void {
  const group = program.command("users").description("people with names and tokens of their own, for approvals");
  withFormat(group.command("list")).description("list them").action(list);
  withFormat(group.command("add").argument("<user>", USER))
    .description("make one, with a token, which is shown this once")
    .option("--name <name>", "how people see them")
    .action(add);
  withFormat(group.command("token").argument("<user>", USER))
    .description("give one a further token, which is shown this once")
    .action(giveToken);
  withFormat(group.command("revoke").argument("<user>", USER)).description("take all their tokens").action(revoke);
}

async function list({ format }: FormatOption): Promise<void> {
  const users = await connect().all("/api/users", User);
  if (format === "json") return printJson(users);
  printTable(users, [
    { title: "ID", text: ({ id }) => id },
    { title: "NAME", text: ({ name }) => name, shrinks: true },
    { title: "MADE", text: ({ created_at }) => ago(created_at) },
  ]);
}

async function add(id: string, { name, format }: AddOptions): Promise<void> {
  await connect().post("/api/users", User, { id, ...(name === undefined ? {} : { name }) });
  await giveToken(id, { format });
}

async function giveToken(id: string, { format }: FormatOption): Promise<void> {
  const made = await connect().post(pathOf(id), UserToken, {});
  if (format === "json") return printJson(made);
  print(made.token);
  say(`${id} sets it as LONGHAUL_TOKEN. It is not shown again.`);
}

async function revoke(id: string, { format }: FormatOption): Promise<void> {
  await connect().delete(pathOf(id));
  if (format === "json") printJson({ id });
  else print(`${id} has no token any more`);
}

function pathOf(id: string): string {
  return `/api/users/${encodeURIComponent(id)}/tokens`;
}
