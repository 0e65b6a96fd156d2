import { startModelServer } from "../../local/model-server.js";

/** Do something while agents have a scripted model and nobody's credentials. */
export async function withScriptedModel<T>(work: () => Promise<T>): Promise<T> {
  const model = await startModelServer();
  for (const name of ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"]) delete process.env[name];
  process.env.ANTHROPIC_BASE_URL = model.url;
  process.env.ANTHROPIC_API_KEY = "scripted-model";
  try {
    return await work();
  } finally {
    await model.stop();
  }
}
