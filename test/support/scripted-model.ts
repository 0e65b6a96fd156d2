import { type ModelServer, startModelServer } from "../../local/model-server.js";
import { whenThrough } from "./stack.js";

/** A scripted model that agents started by this test file ask, until it is through. Before `longhaul()`: what runs there ends first. */
export async function scriptedModel(...script: Parameters<typeof startModelServer>): Promise<ModelServer> {
  const model = await startModelServer(...script);
  const settings = {
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: "scripted",
    OPENAI_BASE_URL: `${model.url}/v1`,
    OPENAI_API_KEY: "scripted",
    GOOGLE_GEMINI_BASE_URL: model.url,
    GEMINI_API_KEY: "scripted",
    XAI_BASE_URL: `${model.url}/v1`,
    XAI_API_KEY: "scripted",
  };
  const before = Object.keys(settings).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, settings);
  whenThrough(async () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await model.stop();
  });
  return model;
}
