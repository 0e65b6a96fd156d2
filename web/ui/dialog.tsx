import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button.js";

/** A question in front of the page: closed by Escape, with the focus where it was before. */
export function Dialog({
  title,
  action,
  busy,
  children,
  onAct,
  onClose,
}: {
  title: string;
  /** What its main button says. */
  action: string;
  busy: boolean;
  children: ReactNode;
  onAct: () => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onClose={onClose}
      className="m-auto max-h-[90dvh] w-[min(34rem,calc(100vw-2rem))] overflow-auto rounded-lg border border-line bg-panel p-5 text-text"
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onAct();
        }}
      >
        <h2 id={heading} className="mb-3 font-semibold text-lg">
          {title}
        </h2>
        {children}
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={() => dialog.current?.close()}>Not now</Button>
          <Button main type="submit" disabled={busy}>
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
