import { type ModelServer, startModelServer } from "../../local/model-server.js";

/** Do something while agents have a scripted model and nobody's credentials. */
export async function withScriptedModel<T>(work: (model: ModelServer) => Promise<T>): Promise<T> {
  const model = await startModelServer();
  for (const name of ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CODEX_API_KEY"]) delete process.env[name];
  const kept = { ...process.env };
  Object.assign(process.env, {
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: "scripted-model",
    OPENAI_BASE_URL: `${model.url}/v1`,
    OPENAI_API_KEY: "scripted-model",
  });
  try {
    return await work(model);
  } finally {
    process.env = kept;
    await model.stop();
  }
}
