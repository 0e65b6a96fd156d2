import { type CelInput, celEnv, isCelError, parse, plan } from "@bufbuild/cel";
import { celFunctions, toCel } from "./cel-functions.js";
import { inWords, syntaxInWords } from "./cel-problem.js";
import { withoutAbsence } from "./cel-rewrite.js";
import { CelShape, type Chain } from "./cel-shape.js";
import { refOfChain, TYPES } from "./cel-text.js";
import { chainOf, type Expr, partsOf } from "./cel-tree.js";
import type { Path } from "./path.js";
import { find, type Scope } from "./scope.js";

/** The longest expression, in UTF-16 units, and how deep its brackets may go. */
const LONGEST = 2_000;
const DEEPEST = 32;

const { funcs, begin } = celFunctions();
const env = celEnv({ funcs });
/** The chains of each shape of expressions, of the last ones that were read. */
const shapes = new Map<string, Chain[]>();
const MOST_SHAPES = 1_000;
const plans = new Map<string, { variables: Map<string, Path>; evaluate: ReturnType<typeof plan> }>();

/** The chains of names in an expression, first to last; or what is wrong with it, as a sentence's end, and where. */
export function parseCel(text: string): { chains: Chain[] } | { problem: string; at: number } {
  const tooMuch = tooMuchIn(text);
  if (tooMuch) return tooMuch;
  const shape = new CelShape(text);
  const known = shapes.get(shape.text);
  if (known) return { chains: known.map((chain) => shape.chain(chain)) };
  const parsed = parseWhole(shape.text);
  if ("problem" in parsed) return shape.text === text ? parsed : parseWhole(text);
  if (shapes.size === MOST_SHAPES) shapes.clear();
  shapes.set(shape.text, parsed.chains);
  return { chains: parsed.chains.map((chain) => shape.chain(chain)) };
}

/**
 * Whether an expression is met, or why that cannot be told. What it names and is not there is null; where CEL wants a bool, a
 * value counts as `isTruthy` says.
 */
export function evaluateCel(text: string, scope: Scope): { met: boolean } | { problem: string } {
  const tooMuch = tooMuchIn(text);
  if (tooMuch) return tooMuch;
  try {
    const { variables, evaluate } = planOf(text);
    begin();
    const result = evaluate(Object.fromEntries([...variables].map(([name, path]) => [name, valueAt(path, scope)])));
    return isCelError(result) ? { problem: inWords(result.message) } : { met: result === true };
  } catch (error) {
    return syntaxInWords(error, text);
  }
}

function parseWhole(text: string): { chains: Chain[] } | { problem: string; at: number } {
  try {
    const { expr, sourceInfo } = parse(text);
    return read(expr, text, ({ id }) => sourceInfo?.positions[String(id)] ?? 0);
  } catch (error) {
    return syntaxInWords(error, text);
  }
}

function planOf(text: string) {
  const known = plans.get(text);
  if (known) return known;
  const { expr, variables } = withoutAbsence(parse(text).expr);
  const made = { variables, evaluate: plan(env, expr) };
  plans.set(text, made);
  return made;
}

function valueAt(path: Path, scope: Scope): CelInput {
  const found = find(refOfChain(path), scope);
  if (found !== undefined) return toCel(found);
  const [name] = path;
  if (path.length > 1 || typeof name !== "string" || !TYPES.has(name)) return null;
  const type = plan(env, parse(name))();
  return isCelError(type) ? null : type;
}

function read(root: Expr, text: string, position: (expr: Expr) => number): { chains: Chain[] } | { problem: string; at: number } {
  const chains: Chain[] = [];
  let unknown: { problem: string; at: number } | undefined;
  visit(root, new Set());
  return unknown ?? { chains: chains.sort((a, b) => a.start - b.start) };

  function visit(expr: Expr, locals: ReadonlySet<string>): void {
    const { exprKind } = expr;
    const path = chainOf(expr, locals);
    if (path) {
      if (path.length === 1 && TYPES.has(String(path[0]))) return;
      chains.push({ path, start: startOf(expr, position), end: endOf(expr, text, position) });
      return;
    }
    const name = namedBy(exprKind);
    if (name && !env.funcs.find(name)) unknown ??= { problem: `there is no function "${name}"`, at: position(expr) };
    for (const [part, within] of partsOf(expr, locals)) visit(part, within);
  }
}

/** The function that a node calls by a name of its own, not as an operator. */
function namedBy(kind: Expr["exprKind"]): string | undefined {
  if (kind.case === "structExpr") return kind.value.messageName || undefined;
  return kind.case === "callExpr" && /^[a-z]/i.test(kind.value.function) ? kind.value.function : undefined;
}

function startOf(expr: Expr, position: (expr: Expr) => number): number {
  const { exprKind } = expr;
  if (exprKind.case === "selectExpr" && exprKind.value.operand) return startOf(exprKind.value.operand, position);
  if (exprKind.case === "callExpr" && exprKind.value.args[0]) return startOf(exprKind.value.args[0], position);
  return position(expr);
}

/** After the last name, or after the bracket behind the last index. */
function endOf(expr: Expr, text: string, position: (expr: Expr) => number): number {
  const { exprKind } = expr;
  const at = position(expr);
  if (exprKind.case === "identExpr") return at + exprKind.value.name.length;
  if (exprKind.case === "selectExpr") return text.indexOf(exprKind.value.field, at + 1) + exprKind.value.field.length;
  const bracket = /\[\s*(?:\d+|[rR]?"(?:[^"\\]|\\.)*"|[rR]?'(?:[^'\\]|\\.)*')\s*\]/y;
  bracket.lastIndex = at;
  return at + (bracket.exec(text)?.[0].length ?? 0);
}

function tooMuchIn(text: string): { problem: string; at: number } | undefined {
  if (text.length > LONGEST) return { problem: `it is longer than ${LONGEST} characters`, at: LONGEST };
  let depth = 0;
  for (const { 0: bracket, index } of text.matchAll(/[([{)\]}]/g)) {
    depth += "([{".includes(bracket) ? 1 : -1;
    if (depth > DEEPEST) return { problem: `its brackets go deeper than ${DEEPEST}`, at: index };
  }
  return undefined;
}
