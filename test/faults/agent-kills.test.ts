import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { agentKills, TURN } from "./agent-kills.js";
import { DEFINITIONS } from "./definitions.js";
import { Harness } from "./harness.js";
import { withScriptedModel } from "./scripted-model.js";
import { SEED } from "./seed.js";

test("agents whose worker is killed in mid-turn, to write, to plan, or with checks, do their work once, in one session that is counted once (F2)", {
  timeout: 300_000,
}, async () => {
  await withScriptedModel(async (model) => {
    const harness = await Harness.start({ folder: testFolder(), definitions: { ...DEFINITIONS, ...TURN } });
    try {
      const { turns, findings } = await agentKills(harness, model, { seed: SEED, kills: 3, agent: "claude", rebuilt: true });

      expect(findings).toEqual([]);
      expect(turns.map(({ kind }) => kind)).toEqual(["write", "plan", "verify"]);
      expect(turns.some(({ tellsOfKill }) => tellsOfKill)).toBe(true);
    } finally {
      await harness.stop();
    }
  });
});
