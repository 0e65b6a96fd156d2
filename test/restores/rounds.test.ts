// A run of twelve steps is taken back to each of them, and forked at each, in each way to write it. Here a few points, chosen by a seed, of
// runs that have gone on in further executions and whose worker was another; `npm run restores` has all, also after everything was killed.
import { beforeAll, describe, expect, test } from "vitest";
import { Harness } from "../faults/harness.js";
import { Random } from "../faults/random.js";
import { longhaul } from "../support/longhaul.js";
import { scriptedModel } from "../support/scripted-model.js";
import { served } from "../support/served.js";
import { testFolder, whenThrough } from "../support/stack.js";
import { finished, forkAt, restoreAt, type Shown, type World } from "./points.js";
import { offerNotes, WAYS, writeNotes } from "./twelve-steps.js";

/** `every`, or at how many points of each run. */
const ASKED = process.env.LONGHAUL_RESTORES;
const LONG = ASKED !== undefined;
const SEED = Number(process.env.LONGHAUL_SEED ?? 7);
const LIMIT = LONG ? 1_800_000 : 180_000;
const STEPS = 12;
/** So that twelve steps need some executions. */
const SOON = 30;

/** Where the runs of all ways are, ended, by the way's name. */
interface Begun {
  world: World;
  runs: Map<string, string>;
  /** What was there when the runs were done is ended, and begins again. */
  again(): Promise<void>;
}

/** Where in the run: all of its steps, or a few. */
function points(few: number): number[] {
  if (ASKED === "every") return Array.from({ length: STEPS }, (_, i) => i);
  return Array.from({ length: LONG ? Number(ASKED) : few }, () => random.between(0, STEPS - 1));
}

const random = new Random(SEED);
const ROUNDS: [round: string, begin: () => Promise<Begun>][] = [
  ["after further executions and with another worker", () => beginHere({ continue_after: SOON })],
];
if (LONG) ROUNDS.push(["in one execution", () => beginHere({})], ["after worker, Temporal and Postgres were killed", beginApart]);

beforeAll(() => scriptedModel());

describe.each(ROUNDS)(`a run of twelve steps, ${"%s"} (seed ${SEED})`, { timeout: LIMIT }, (round, begin) => {
  let begun: Begun;
  beforeAll(async () => {
    begun = await begin();
    for (const id of begun.runs.values()) await finished(begun.world, id);
    await begun.again();
  }, LIMIT);

  const way = WAYS.map(({ name }) => name);
  describe("forked at any of them", () => {
    test.concurrent.each(way.map((name) => [name, points(1)] as const))(
      "in %s repeats nothing and has the tree of then",
      (name, at) => showsNothing("fork", name, at, forkAt),
    );
  });
  describe("taken back to any of them", () => {
    test.concurrent.each(way.map((name) => [name, points(1)] as const))(
      "in %s repeats nothing and has the tree of then",
      (name, at) => showsNothing("restore", name, at, restoreAt),
    );
  });

  async function showsNothing(what: string, name: string, at: number[], go: typeof forkAt): Promise<void> {
    const shown: Shown = { repeated: [], missing: [], unequal: [], wrong: [] };
    for (const point of at) {
      const found = Object.entries(await go(begun.world, begun.runs.get(name) ?? "", point)) as [keyof Shown, string[]][];
      for (const [part, problems] of found) shown[part].push(...problems.map((problem) => `at ${point}: ${problem}`));
    }
    const figures = Object.entries(shown).map(([part, problems]) => `${problems.length} ${part}`);
    if (LONG) process.stdout.write(`${what}, ${name}, ${round}: ${at.length} points, ${figures.join(", ")}\n`);
    expect(shown).toEqual({ repeated: [], missing: [], unequal: [], wrong: [] });
  }
});

/** In this process, with the servers that all tests share. */
async function beginHere(options: { continue_after?: number }): Promise<Begun> {
  const stack = await longhaul();
  const { project, config } = stack;
  const { script, effects } = writeNotes(testFolder());
  offerNotes(project, script);
  const runs = new Map<string, string>();
  for (const { name, ending, source } of WAYS) runs.set(name, (await stack.start(source(script), { ending, ...options })).id);
  const again = async () => {
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
  };
  return { world: { ask: await served(stack), home: config.home, project, effects }, runs, again };
}

/** As `npm start` does it, with servers that nobody else has. */
async function beginApart(): Promise<Begun> {
  const folder = testFolder();
  const { script, effects } = writeNotes(folder);
  const definitions = Object.fromEntries(WAYS.map(({ name, ending, source }) => [`twelve_${name}${ending}`, source(script)]));
  const harness = await Harness.start({ folder, ownServers: true, definitions });
  whenThrough(() => harness.stop());
  const { client, project, home } = harness;
  offerNotes(project.path, script);
  const runs = new Map<string, string>();
  for (const { name } of WAYS) runs.set(name, (await harness.begin(`twelve_${name}`, {}, { counter: null, steps: STEPS })).id);
  const again = async () => {
    await harness.killAll();
    await harness.startAgain();
  };
  return {
    world: { ask: (method, path, body) => client.ask(method, path, { body }), home, project: project.path, effects },
    runs,
    again,
  };
}
