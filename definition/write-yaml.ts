import { Document, isScalar, Scalar, visit } from "yaml";
import type { Json } from "../contract/json.js";

/** How a YAML text is laid out. */
export interface YamlStyle {
  /** Spaces by which a map stands within another. */
  indent: number;
  /** Whether a list stands further in than the key it belongs to. */
  indentSeq: boolean;
}

const COMMON: YamlStyle = { indent: 2, indentSeq: true };
const ONE_LINE = { lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER };

/** YAML that reads back as it is, no line folded, nothing repeated by alias. Ends with a line break. */
export function yamlOf(value: Json, style: YamlStyle = COMMON): string {
  return documentOf(value, {}).toString({ ...ONE_LINE, ...style });
}

/**
 * The same in one line, as it can stand after a key or in `{ }` and `[ ]`. Null when it cannot: a text of several lines is better
 * written in several, unless it is part of `{ }` or `[ ]`.
 *
 * @param options.quotes how a text was quoted that this one stands for. @default as it needs
 */
export function inlineOf(
  value: Json,
  { within = false, padded = true, quotes }: { within?: boolean; padded?: boolean; quotes?: Scalar.Type | undefined } = {},
): string | null {
  if (!within && typeof value === "string" && value.includes("\n")) return null;
  const document = documentOf([value], { flow: true });
  const [scalar] = (document.contents as unknown as { items: unknown[] }).items; // the one that was just made
  if (typeof value === "string" && isScalar(scalar) && (quotes === Scalar.QUOTE_DOUBLE || quotes === Scalar.QUOTE_SINGLE)) {
    scalar.type = quotes;
  }
  const text = document
    .toString({ ...ONE_LINE, flowCollectionPadding: padded })
    .trim()
    .slice(1, -1)
    .trim();
  return text.includes("\n") ? null : text;
}

function documentOf(value: Json, options: { flow?: boolean }): Document {
  const document = new Document(value, { version: "1.2", aliasDuplicateObjects: false, ...options });
  visit(document, {
    Pair(_, { key }) {
      // Without quotes it would bring in another map.
      if (isScalar(key) && key.value === "<<") key.type = Scalar.QUOTE_DOUBLE;
    },
    Scalar(_, scalar) {
      // As a block it would need a number that says where it begins.
      if (typeof scalar.value === "string" && /^[ \n]/.test(scalar.value) && scalar.value.includes("\n"))
        scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document;
}
