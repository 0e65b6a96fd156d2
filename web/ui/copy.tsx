import { useState } from "react";

/** A text that a click copies. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      className="cursor-pointer rounded font-mono text-faint text-sm hover:text-text"
      aria-label={`Copy ${what}: ${text}`}
      onClick={async () => {
        await navigator.clipboard.writeText(text);
        setDone(true);
      }}
      onBlur={() => setDone(false)}
    >
      {text}{" "}
      <span aria-live="polite" className="font-sans text-xs underline">
        {done ? "copied" : "copy"}
      </span>
    </button>
  );
}
