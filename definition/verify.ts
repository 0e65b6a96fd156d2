import type { PlanCheck } from "../contract/plan.js";
import { commandOf } from "./command-field.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf } from "./fields.js";

const WORDS = ["tree_changed", "file_exists", "command", "branch_pushed"] as const;

/** `verify`: what must be so after an agent's turn. */
export function checksOf(fields: Fields): PlanCheck[] | undefined {
  const nodes = fields.list("verify");
  if (nodes?.length === 0) fields.problem("verify", '"verify" lists no checks. Name one, or leave it out.');
  return nodes?.flatMap((node) => {
    const check = fieldsOf(node, fields.reading, "a check");
    const read = check ? checkOf(check) : undefined;
    check?.rest();
    return read ?? [];
  });
}

function checkOf(fields: Fields): PlanCheck | undefined {
  for (const word of WORDS) fields.value(word);
  const [word, another] = WORDS.filter((each) => fields.has(each));
  if (another) fields.problem(another, `A check is one thing. Put "${another}" into a check of its own.`);
  switch (word) {
    case "tree_changed":
      return treeChanged(fields);
    case "file_exists":
      return fileExists(fields);
    case "command": {
      const timeout_ms = fields.duration("timeout", { min: 1, leastNumber: 1000 });
      return { command: commandOf(fields), ...defined({ timeout_ms }) };
    }
    case "branch_pushed":
      return branchPushed(fields);
    case undefined:
      fields.reading.problems.add(fields.node, `Nothing says what is checked. Write one of ${WORDS.join(", ")}.`);
      return undefined;
  }
}

function treeChanged(fields: Fields): PlanCheck {
  if (fields.boolean("tree_changed") === false) fields.problem("tree_changed", '"tree_changed" is true, or left out.');
  return { tree_changed: true };
}

function fileExists(fields: Fields): PlanCheck | undefined {
  const path = fields.template("file_exists");
  if (path && "literal" in path && leadsOut(String(path.literal)))
    fields.problem("file_exists", '"file_exists" must be a path relative to the run\'s tree, and inside it.');
  return path && { file_exists: path };
}

function branchPushed(fields: Fields): PlanCheck | undefined {
  const node = fields.value("branch_pushed");
  if (node?.kind === "scalar" && node.value === true) return { branch_pushed: true };
  const branch = fields.template("branch_pushed", { max: 200 });
  return branch && { branch_pushed: branch };
}

function leadsOut(path: string): boolean {
  let depth = 0;
  for (const part of path.split("/")) {
    if (part === "..") depth -= 1;
    else if (part !== "" && part !== ".") depth += 1;
    if (depth < 0) return true;
  }
  return path.startsWith("/");
}
