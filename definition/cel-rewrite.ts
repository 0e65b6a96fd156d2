import type { Call, Expr } from "./cel-tree.js";
import { chainOf } from "./cel-tree.js";
import type { Path } from "./path.js";

/** The functions that stand for what people expect of absent values; `cel-functions.ts` defines them. */
export const OWN = {
  get: "@get",
  has: "@has",
  isList: "@is_list",
  truthy: "@truthy",
  items: "@items",
  step: "@step",
  charge: "@charge",
} as const;

/** Where people mean "is there something", not "is it exactly true". */
const LOGICAL: Record<string, number> = {
  "_&&_": Number.POSITIVE_INFINITY,
  "_||_": Number.POSITIVE_INFINITY,
  "!_": 1,
  "_?_:_": 1,
};

/** `contains(a, b)` is `a.contains(b)`, as in GitHub's expressions. */
const ALSO_FUNCTIONS: ReadonlySet<string> = new Set(["contains", "startsWith", "endsWith", "matches"]);

/**
 * An expression that can be evaluated with absent names: each chain of names has become a variable, to be bound to what is found
 * there or null; other accesses go through functions that give null. The given tree is used up.
 *
 * @returns the expression, and the path of each variable by its name
 */
export function withoutAbsence(expr: Expr): { expr: Expr; variables: Map<string, Path> } {
  const variables = new Map<string, Path>();
  return { expr: call(OWN.truthy, [rewrite(expr, new Set())]), variables };

  function rewrite(node: Expr, locals: ReadonlySet<string>): Expr {
    const path = chainOf(node, locals);
    if (path) return variable(path);
    const { exprKind } = node;
    switch (exprKind.case) {
      case "selectExpr": {
        const { operand, field, testOnly } = exprKind.value;
        return operand ? call(testOnly ? OWN.has : OWN.get, [rewrite(operand, locals), text(field)]) : node;
      }
      case "callExpr":
        return rewriteCall(node, exprKind.value, locals);
      case "listExpr":
        exprKind.value.elements = exprKind.value.elements.map((element) => rewrite(element, locals));
        return node;
      case "structExpr":
        for (const entry of exprKind.value.entries) {
          if (entry.keyKind.case === "mapKey") entry.keyKind.value = rewrite(entry.keyKind.value, locals);
          if (entry.value) entry.value = rewrite(entry.value, locals);
        }
        return node;
      case "comprehensionExpr": {
        const loop = exprKind.value;
        const inner = new Set([...locals, loop.iterVar, loop.iterVar2, loop.accuVar]);
        if (loop.iterRange) loop.iterRange = call(OWN.items, [rewrite(loop.iterRange, locals)]);
        if (loop.accuInit) loop.accuInit = rewrite(loop.accuInit, locals);
        // An error in the condition, unlike one in the step, ends the loop at once.
        if (loop.loopCondition) loop.loopCondition = call(OWN.step, [rewrite(loop.loopCondition, inner)]);
        if (loop.loopStep) loop.loopStep = rewrite(loop.loopStep, inner);
        if (loop.result) loop.result = rewrite(loop.result, inner);
        return node;
      }
      default:
        return node;
    }
  }

  function rewriteCall(node: Expr, value: Call, locals: ReadonlySet<string>): Expr {
    if (!value.target && ALSO_FUNCTIONS.has(value.function)) value.target = value.args.shift();
    const truths = LOGICAL[value.function] ?? 0;
    const inLoop = locals.size > 0 && truths === 0;
    const part = (each: Expr) => (inLoop ? call(OWN.charge, [rewrite(each, locals)]) : rewrite(each, locals));
    value.args = value.args.map((arg, i) => (i < truths ? call(OWN.truthy, [rewrite(arg, locals)]) : part(arg)));
    if (value.function === "_[_]") return call(OWN.get, value.args);
    if (!value.target) return node;
    value.target = part(value.target);
    return value.function === "contains" ? orInList(node, value.target, value.args[0]) : node;
  }

  function variable(path: Path): Expr {
    const name = `@v${variables.size}`;
    variables.set(name, path);
    return {
      $typeName: "cel.expr.Expr",
      id: 0n,
      exprKind: { case: "identExpr", value: { $typeName: "cel.expr.Expr.Ident", name } },
    };
  }
}

/** `contains` asks texts in CEL; here lists, too. */
function orInList(node: Expr, list: Expr, item: Expr | undefined): Expr {
  return item ? call("_?_:_", [call(OWN.isList, [list]), call("@in", [item, list]), node]) : node;
}

function call(name: string, args: Expr[]): Expr {
  const value: Call = { $typeName: "cel.expr.Expr.Call", function: name, args };
  return { $typeName: "cel.expr.Expr", id: 0n, exprKind: { case: "callExpr", value } };
}

function text(value: string): Expr {
  const constantKind = { case: "stringValue", value } as const;
  return {
    $typeName: "cel.expr.Expr",
    id: 0n,
    exprKind: { case: "constExpr", value: { $typeName: "cel.expr.Constant", constantKind } },
  };
}
