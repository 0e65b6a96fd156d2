import { isAbsolute } from "node:path";
import { acpCommand } from "../../contract/agent-command.js";
import { PLAIN } from "../environment.js";
import { isProgram } from "../is-program.js";
import { runAcp } from "./acp-agent.js";
import { AcpRecord, promptsIn, recordOf } from "./acp-record.js";
import type { Ended } from "./acp-turn.js";
import type { AgentUsage } from "./answer.js";
import { AgentNotInstalledError, type AgentProvider, type AgentRequest, NO_USAGE } from "./provider.js";
import { onPath } from "./user-binary.js";

/** What a session is put in where its step only plans, if the agent has it. */
const READ_ONLY = ["plan", "read-only"];

/** Any agent that speaks the Agent Client Protocol over its standard input and output, by its command: `acp:my-agent --flag`. */
export function acp(name: `acp:${string}`): AgentProvider {
  return {
    name,
    credentials: [],
    address: "HOME", // it has a login of its own there
    run: async (request) => {
      const [program, args] = programOf(name);
      const record = new AcpRecord(request.configDir);
      return runAcp(request, {
        title: program,
        keyHint: "Log in with the agent itself, or give the step its key by `env`.",
        start: () => ({
          program,
          args,
          env: environment(process.env, request),
          model: request.model,
          mode: (modes) => (request.permission === "plan" ? READ_ONLY.find((mode) => modes.includes(mode)) : undefined),
          began: (sessionId) => record.began(sessionId),
          line: (line) => record.line(line),
        }),
        transcriptOf: ({ configDir }, sessionId) => recordOf(configDir, sessionId),
        promptsIn,
        used: (_transcript, _promptsBefore, ends) => ({ ...usedIn(ends), model: request.model ?? null }),
        tellsInPrompt: true,
      });
    },
  };
}

/** @throws {AgentNotInstalledError} */
function programOf(name: string): [program: string, args: string[]] {
  const [program, ...args] = acpCommand(name) ?? [];
  if (program === undefined) {
    throw new AgentNotInstalledError(`"${name}" names no command. It is "acp:" with a program and its arguments behind it.`);
  }
  const file = isAbsolute(program) && isProgram(program) ? program : onPath(program);
  if (file !== undefined) return [file, args];
  const where = isAbsolute(program) ? "there is no such program" : "there is no such program on PATH";
  throw new AgentNotInstalledError(`The agent ${program} of "${name}" is not installed: ${where}.`);
}

/** It is the person's own agent: it finds its settings in HOME, as always, and knows no key of other agents. */
function environment(own: NodeJS.ProcessEnv, { env, marks }: AgentRequest): Record<string, string> {
  const inherited = PLAIN.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return { ...Object.fromEntries(inherited), ...env, ...marks };
}

/** As far as the agent tells it. */
function usedIn(ends: readonly Ended[]): AgentUsage {
  const usage: AgentUsage = { ...NO_USAGE, cost_usd: null };
  for (const { usage: told, _meta } of ends) {
    const quota = _meta?.quota?.token_count;
    usage.input_tokens += told?.inputTokens ?? quota?.input_tokens ?? 0;
    usage.output_tokens += told?.outputTokens ?? quota?.output_tokens ?? 0;
    usage.cache_read_input_tokens += told?.cachedReadTokens ?? 0;
    usage.cache_creation_input_tokens += told?.cachedWriteTokens ?? 0;
  }
  return usage;
}
