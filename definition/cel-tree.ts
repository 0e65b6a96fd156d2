import type { parse } from "@bufbuild/cel";
import type { Path } from "./path.js";

/** A node of a parsed CEL expression. */
export type Expr = ReturnType<typeof parse>["expr"];
export type Call = Extract<Expr["exprKind"], { case: "callExpr" }>["value"];

/**
 * The names and indexes that a node reaches by `a.b["c"][0]` alone, or undefined when it is anything else or begins with a
 * variable of a macro (`locals`).
 */
export function chainOf(expr: Expr, locals: ReadonlySet<string>): Path | undefined {
  const { exprKind } = expr;
  if (exprKind.case === "identExpr") return locals.has(exprKind.value.name) ? undefined : [exprKind.value.name];
  if (exprKind.case === "selectExpr") {
    const { operand, field, testOnly } = exprKind.value;
    const path = operand && !testOnly ? chainOf(operand, locals) : undefined;
    return path && [...path, field];
  }
  if (exprKind.case !== "callExpr" || exprKind.value.function !== "_[_]") return undefined;
  const [from, index] = exprKind.value.args;
  const key = index && constantKey(index);
  const path = from && key !== undefined ? chainOf(from, locals) : undefined;
  return path && key !== undefined ? [...path, key] : undefined;
}

/** Every node that a node is made of, with the variables of macros that are there for it. */
export function partsOf({ exprKind }: Expr, locals: ReadonlySet<string>): [Expr, ReadonlySet<string>][] {
  const here = (parts: (Expr | undefined)[]) =>
    parts.flatMap((part) => (part ? [[part, locals] as [Expr, ReadonlySet<string>]] : []));
  switch (exprKind.case) {
    case "selectExpr":
      return here([exprKind.value.operand]);
    case "callExpr":
      return here([exprKind.value.target, ...exprKind.value.args]);
    case "listExpr":
      return here(exprKind.value.elements);
    case "structExpr":
      return here(
        exprKind.value.entries.flatMap(({ keyKind, value }) => [keyKind.case === "mapKey" ? keyKind.value : undefined, value]),
      );
    case "comprehensionExpr": {
      const { iterRange, accuInit, iterVar, iterVar2, accuVar, loopCondition, loopStep, result } = exprKind.value;
      const inner = new Set([...locals, iterVar, iterVar2, accuVar]);
      const within = [loopCondition, loopStep, result].flatMap((part) =>
        part ? [[part, inner] as [Expr, ReadonlySet<string>]] : [],
      );
      return [...here([iterRange, accuInit]), ...within];
    }
    default:
      return [];
  }
}

function constantKey({ exprKind }: Expr): string | number | undefined {
  if (exprKind.case !== "constExpr") return undefined;
  const { constantKind } = exprKind.value;
  if (constantKind.case === "stringValue") return constantKind.value;
  return constantKind.case === "int64Value" && constantKind.value >= 0n ? Number(constantKind.value) : undefined;
}
