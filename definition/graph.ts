/** A step by its key, and the keys of the steps that must be over before it begins. */
export interface Linked {
  key: string;
  needs: readonly string[];
}

export interface GraphNode {
  stepKey: string;
  dependencies: string[];
  /** The steps that depend on it, in the author's order. */
  dependents: string[];
  /** 0 without dependencies, else one more than the highest of theirs. */
  level: number;
}

export interface Graph {
  /** In the author's order. */
  nodes: GraphNode[];
  hasCycle: boolean;
  /** Every key after those it depends on, else as the author has them. Of a graph with cycles, what lies outside of them. */
  topologicalOrder: string[];
  /** The keys of each level. */
  levels: string[][];
}

/** The graph of steps with different keys that depend on one another; a dependency that is no step is passed over. */
export function graphOf(steps: readonly Linked[]): Graph {
  const nodes = new Map(
    steps.map(({ key, needs }) => [key, { stepKey: key, dependencies: [...needs], dependents: [], level: 0 } as GraphNode]),
  );
  const waitsFor = new Map<string, number>();
  for (const { stepKey, dependencies } of nodes.values()) {
    const known = [...new Set(dependencies)].filter((need) => nodes.has(need));
    for (const need of known) nodes.get(need)?.dependents.push(stepKey);
    waitsFor.set(stepKey, known.length);
  }

  const order = [...nodes.keys()].filter((key) => waitsFor.get(key) === 0);
  for (const key of order) {
    const node = nodes.get(key);
    for (const dependent of node?.dependents ?? []) {
      const left = (waitsFor.get(dependent) ?? 0) - 1;
      waitsFor.set(dependent, left);
      const behind = nodes.get(dependent);
      if (behind) behind.level = Math.max(behind.level, (node?.level ?? 0) + 1);
      if (left === 0) order.push(dependent);
    }
  }

  const levels: string[][] = [];
  for (const key of order) {
    const level = nodes.get(key)?.level ?? 0;
    levels[level] = [...(levels[level] ?? []), key];
  }
  return { nodes: [...nodes.values()], hasCycle: order.length < nodes.size, topologicalOrder: order, levels };
}

/** A way round for each knot of the graph, following dependencies: `["a", "b", "a"]` when a depends on b and b on a. */
export function cyclesOf({ nodes, topologicalOrder }: Graph): string[][] {
  const placed = new Set(topologicalOrder);
  const knotted = new Map(nodes.filter(({ stepKey }) => !placed.has(stepKey)).map((node) => [node.stepKey, node]));
  const seen = new Set<string>();
  const cycles: string[][] = [];
  for (const start of knotted.keys()) {
    const way: string[] = [];
    let at: string | undefined = start;
    while (at !== undefined && !seen.has(at)) {
      seen.add(at);
      way.push(at);
      at = knotted.get(at)?.dependencies.find((need) => knotted.has(need));
    }
    if (at !== undefined && way.includes(at)) cycles.push([...way.slice(way.indexOf(at)), at]);
  }
  return cycles;
}

/** How a cycle is told: `Dependency cycle detected: a → b → a`. */
export function cycleText(cycle: readonly string[]): string {
  return `Dependency cycle detected: ${cycle.join(" → ")}`;
}
