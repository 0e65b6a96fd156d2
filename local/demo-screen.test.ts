import { expect, test } from "vitest";
import { DemoScreen } from "./demo-screen.js";
import { sseFrames } from "./sse-frames.js";

test("shows a step, its output line by line, and how it ended", () => {
  const lines: string[] = [];
  const screen = new DemoScreen((line) => lines.push(line), false);
  const at = (s: number) => new Date(s * 1000).toISOString();
  screen.show({ type: "workflow.step.started", at: at(1), data: { step_id: "r-1", step_name: "tests", phase: "check" } });
  screen.show({ type: "workflow.step.progress", data: { step_id: "r-1", output: "one\ntw" } });
  screen.show({ type: "workflow.step.progress", data: { step_id: "r-1", output: "o\u001b[2Jx\nlast" } });
  screen.show({ type: "workflow.step.completed", at: at(3.5), data: { step_id: "r-1", status: "failed" } });

  expect(lines).toEqual(["▶ tests  check", "  │ one", "  │ twox", "  │ last", "✘ tests 2.5 s"]);
});

test("reads the frames of an event stream wherever it is cut", async () => {
  const text = ': ping\n\nid: 1\nevent: a\ndata: {"x":"é"}\n\nevent: b\ndata: 2\n\nevent: cut';
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });

  const frames = [];
  for await (const frame of sseFrames(body)) frames.push(frame);
  expect(frames).toEqual([
    { event: "a", data: '{"x":"é"}' },
    { event: "b", data: "2" },
  ]);
});
