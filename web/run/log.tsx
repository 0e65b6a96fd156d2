import { useVirtualizer } from "@tanstack/react-virtual";
import { type AnserJsonEntry, ansiToJson } from "anser";
import { useEffect, useRef, useState } from "react";
import type { Step } from "../../contract/step.js";
import { useStepLog } from "./step-log.js";

const LINE = 20;

/** What a step has written, the newest at the end; it follows while nobody has scrolled away from there. */
export function Log({ step, isOver }: { step: Step; isOver: boolean }) {
  const { lines, error } = useStepLog(step, isOver);
  const box = useRef<HTMLDivElement>(null);
  const [follows, follow] = useState(true);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    overscan: 20,
  });
  useEffect(() => {
    if (follows && lines.length > 0) rows.scrollToIndex(lines.length - 1);
  }, [follows, lines.length, rows]);
  return (
    <div className="min-w-0 rounded-md border border-line bg-panel">
      <div className="flex items-center gap-3 border-line border-b px-3 py-1.5 text-sm">
        <span className="font-medium">Log</span>
        <span className="text-faint">{lines.length} lines</span>
        <label className="ml-auto flex items-center gap-1.5">
          <input type="checkbox" checked={follows} onChange={({ target }) => follow(target.checked)} /> follow
        </label>
        <a href={`/api/runs/${step.run_id}/logs/download`} className="text-accent hover:underline">
          download
        </a>
      </div>
      {error ? <p className="px-3 py-2 text-bad">{String(error)}</p> : null}
      <div
        ref={box}
        role="log"
        aria-label={`Log of ${step.name}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is to be reached by keyboard
        tabIndex={0}
        className="max-h-[60dvh] overflow-auto font-mono text-[13px] leading-5"
        onWheel={({ deltaY }) => deltaY < 0 && follow(false)}
      >
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(({ index, start }) => (
            <div
              key={index}
              className="absolute top-0 left-0 flex w-full px-3 hover:bg-ground"
              style={{ transform: `translateY(${start}px)` }}
            >
              <span className="mr-3 w-10 shrink-0 select-none text-right text-faint">{index + 1}</span>
              <span className="whitespace-pre">{coloured(lines[index] ?? "")}</span>
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** Colours of terminals as text with a class: what else a terminal would do is left out. */
function coloured(line: string) {
  if (!line.includes("\u001b")) return line;
  let at = 0;
  return ansiToJson(line, { use_classes: true, remove_empty: true }).map(({ content, fg }: AnserJsonEntry) => {
    at += content.length;
    return (
      <span key={at} className={COLOURS[fg] ?? ""}>
        {content}
      </span>
    );
  });
}

const COLOURS: Record<string, string> = {
  "ansi-red": "text-bad",
  "ansi-bright-red": "text-bad",
  "ansi-green": "text-good",
  "ansi-bright-green": "text-good",
  "ansi-yellow": "text-waiting",
  "ansi-bright-yellow": "text-waiting",
  "ansi-blue": "text-running",
  "ansi-bright-blue": "text-running",
  "ansi-black": "text-faint",
  "ansi-bright-black": "text-faint",
};
