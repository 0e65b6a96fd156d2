import { expect, test } from "vitest";
import { acpCommand } from "./agent-command.js";

test.each([
  ["acp:my-agent", ["my-agent"]],
  ["acp: my-agent  --flag", ["my-agent", "--flag"]],
  [`acp:my-agent --say "a b" --it='c "d"' ''`, ["my-agent", "--say", "a b", '--it=c "d"', ""]],
  ["acp:my-agent $HOME; rm *", ["my-agent", "$HOME;", "rm", "*"]],
])("%s is split without a shell", (name, words) => {
  expect(acpCommand(name)).toEqual(words);
});

test.each(["claude", "acp:", "acp:  ", "acp:my-agent 'open", `acp:""`])("%s names no command", (name) => {
  expect(acpCommand(name)).toBeNull();
});
