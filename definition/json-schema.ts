import { Ajv } from "ajv";
import type { JsonObject } from "../contract/json.js";
import type { Fields } from "./fields.js";
import { type Node, toJson } from "./node.js";

const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });

/** A JSON schema, draft 7. What is no valid schema is a problem at its place in the file. */
export function schemaOf(fields: Fields, key: string): JsonObject | undefined {
  const node = fields.value(key);
  if (!node) return undefined;
  const schema = toJson(node);
  const isObject = typeof schema === "object" && schema !== null && !Array.isArray(schema);
  if (!isObject) {
    fields.problem(key, `"${key}" must be a JSON schema, such as { type: object, properties: … }.`);
    return undefined;
  }
  const { $schema: _, ...checked } = schema;
  if (ajv.validateSchema(checked) === true) return schema;
  for (const { instancePath, message } of ajv.errors ?? []) {
    fields.reading.problems.add(placeAt(node, instancePath), `"${key}" is no valid JSON schema here: it ${message}.`);
  }
  return schema;
}

/** The node that a JSON pointer leads to, or the last one on the way. */
function placeAt(node: Node, pointer: string): Node {
  let at = node;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    const next =
      at.kind === "map"
        ? at.entries.find(({ key }) => key === name)?.value
        : at.kind === "list"
          ? at.items[Number(name)]
          : undefined;
    if (!next) return at;
    at = next;
  }
  return at;
}
