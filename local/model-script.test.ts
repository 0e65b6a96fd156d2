import { describe, expect, test } from "vitest";
import { type Conversation, MessagesRequest, readMessages } from "./model-conversation.js";
import { nextMove, type Rule } from "./model-script.js";

describe("the scripted model", () => {
  test("makes a prompt's markers one after the other, then says that it is done", () => {
    const prompt = "[[shell ls]] [[write a.txt some text]]";

    expect(nextMove(asked(prompt), [])).toMatchObject({ tool: "Bash", input: { command: "ls" } });
    expect(nextMove(asked(prompt, 1), [])).toMatchObject({
      tool: "Write",
      input: { file_path: "/tree/a.txt", content: "some text" },
    });
    expect(nextMove(asked(prompt, 2), [])).toEqual({ say: "Done." });
    expect(nextMove(asked(prompt, 9), [])).toEqual({ say: "Done." });
  });

  test("goes on with what was under way when it is told only to continue", () => {
    const conversation = asked("[[shell ls]] [[say listed]]", 1);
    conversation.exchanges.push({ prompt: "continue", results: [] });

    expect(nextMove(conversation, [])).toEqual({ say: "listed" });
  });

  test("delays the next answer", () => {
    expect(nextMove(asked("[[slow 500]] [[say late]]"), [])).toEqual({ say: "late", afterMs: 500 });
    expect(nextMove(asked("[[slow 500]]"), [])).toEqual({ say: "Done.", afterMs: 500 });
  });

  test("has a usage limit until a time, and goes on after it", () => {
    expect(nextMove(asked("[[limit 1900000000]] [[say later]]"), [])).toEqual({ say: "later", limitedUntil: 1_900_000_000 });
    expect(nextMove(asked("[[limit 1900000000]] [[slow 5]]"), [])).toEqual({
      say: "Done.",
      afterMs: 5,
      limitedUntil: 1_900_000_000,
    });
  });

  test("takes as many tokens as it is told", () => {
    expect(nextMove(asked("[[usage 10 20000]] [[say dear]]"), [])).toEqual({ say: "dear", usage: { input: 10, output: 20_000 } });
  });

  test("answers with a status, or not at all", () => {
    expect(nextMove(asked("[[status 429]]"), [])).toEqual({ status: 429 });
    expect(nextMove(asked("[[hang]]"), [])).toEqual({ hang: true });
  });

  test("follows the first rule that a prompt meets, unless it has markers", () => {
    const rules: Rule[] = [
      { when: /plan/, moves: [{ say: "1. Do it." }] },
      { when: /./, moves: ({ prompt }) => [{ say: prompt.toUpperCase() }] },
    ];

    expect(nextMove(asked("make a plan"), rules)).toEqual({ say: "1. Do it." });
    expect(nextMove(asked("hello"), rules)).toEqual({ say: "HELLO" });
    expect(nextMove(asked("make a plan [[say no]]"), rules)).toEqual({ say: "no" });
  });

  test("says so where the client does not offer the tool", () => {
    expect(nextMove({ ...asked("[[shell ls]]"), tools: [] }, [])).toEqual({
      say: "I cannot do this: there is no tool Bash here.",
    });
  });

  test("answers by words what a schema would take, where there is no tool for it", () => {
    expect(nextMove({ ...asked('[[answer {"ok":true}]]'), tools: [] }, [])).toEqual({ say: '{"ok":true}' });
  });
});

describe("a conversation", () => {
  test("is read from the request alone: prompts, results, tools and folder", () => {
    const request = MessagesRequest.parse({
      model: "m",
      system: [{ type: "text", text: "Primary working directory: /tree\nmore" }],
      text: "",
      tools: [{ name: "Bash" }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "<system-reminder>x</system-reminder>" },
            { type: "text", text: "first" },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "Bash", input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "out", is_error: true }] },
      ],
    });

    expect(readMessages(request)).toEqual({
      model: "m",
      system: "Primary working directory: /tree\nmore",
      exchanges: [{ prompt: "first", results: [{ text: "out", isError: true }] }],
      tools: ["Bash"],
      text: expect.stringContaining("more"),
      cwd: "/tree",
    });
  });
});

function asked(prompt: string, results = 0): Conversation {
  return {
    model: "m",
    system: "",
    exchanges: [{ prompt, results: Array.from({ length: results }, () => ({ text: "", isError: false })) }],
    text: "",
    tools: ["Bash", "Write", "Edit"],
    cwd: "/tree",
  };
}
