import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Comment } from "../../contract/comment.js";
import type { WholeRun } from "../../contract/whole-run.js";
import { known, longhaul } from "../client.js";
import { Button } from "../ui/button.js";
import { Problem } from "../ui/problem.js";

/** What was said about the run, the oldest first, and a place to say more. */
export function Comments({ run }: { run: WholeRun }) {
  const [text, setText] = useState("");
  const say = useMutation({
    mutationFn: (said: string) =>
      longhaul.post(`/api/runs/${run.id}/comments`, Comment, { text: said }, { key: crypto.randomUUID() }),
    onSuccess: () => setText(""),
    onSettled: () => known.invalidateQueries({ queryKey: ["run", run.id] }),
  });
  const comments = run.comments.toSorted((a, b) => a.created_at.localeCompare(b.created_at));
  return (
    <section aria-label="Comments" className="mt-6 max-w-3xl">
      <h2 className="mb-2 font-medium">Comments</h2>
      <ul className="grid gap-2">
        {comments.map((comment) => (
          <li key={comment.id} className="rounded-md border border-line bg-panel p-3">
            <p className="text-faint text-sm">
              {comment.creator?.name ?? comment.comment_type}, {new Date(comment.created_at).toLocaleString()}
            </p>
            <p className="whitespace-pre-wrap break-words">{comment.text}</p>
          </li>
        ))}
      </ul>
      <form
        className="mt-3 grid gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) say.mutate(text);
        }}
      >
        <label className="text-sm">
          Your comment
          <textarea
            value={text}
            rows={3}
            onChange={({ target }) => setText(target.value)}
            className="mt-1 block w-full rounded-md border border-line bg-panel px-2 py-1"
          />
        </label>
        <div>
          <Button type="submit" disabled={say.isPending || text.trim() === ""}>
            Say it
          </Button>
        </div>
        {say.error && <Problem error={say.error} />}
      </form>
    </section>
  );
}
