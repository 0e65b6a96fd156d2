import { type ModelServer, startModelServer } from "../../local/model-server.js";
import { whenThrough } from "./stack.js";

/** A scripted model that agents started by this test file ask, until it is through. Before `longhaul()`: what runs there ends first. */
export async function scriptedModel(...script: Parameters<typeof startModelServer>): Promise<ModelServer> {
  const model = await startModelServer(...script);
  const kept = { ...process.env };
  Object.assign(process.env, {
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: "scripted",
    OPENAI_BASE_URL: `${model.url}/v1`,
    OPENAI_API_KEY: "scripted",
    GOOGLE_GEMINI_BASE_URL: model.url,
    GEMINI_API_KEY: "scripted",
    XAI_BASE_URL: `${model.url}/v1`,
    XAI_API_KEY: "scripted",
  });
  whenThrough(async () => {
    process.env = kept;
    await model.stop();
  });
  return model;
}
