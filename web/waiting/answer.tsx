import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import type { Json, JsonObject } from "../../contract/json.js";
import type { WaitingFor } from "../../contract/run.js";
import { Step } from "../../contract/step.js";
import { known, longhaul } from "../client.js";
import { refreshRuns } from "../runs/run-lists.js";
import { Button } from "../ui/button.js";
import { JsonView } from "../ui/json-view.js";
import { Problem } from "../ui/problem.js";
import { Fields } from "./fields.js";

/** What is asked of a person, and the answer to it. */
export function Answer({ runId, waiting }: { runId: string; waiting: WaitingFor }) {
  const { step_id: step = "", request, fields, permission, answers = [], required = 1 } = waiting;
  const [reason, setReason] = useState("");
  const [filled, fill] = useState<JsonObject>({});
  const reasonId = useId();
  const answer = useMutation({
    mutationFn: (said: "approve" | "reject") => {
      const body: Record<string, Json> = { answer: said };
      if (reason) body.reason = reason;
      if (request) body.request = request;
      if (said === "approve" && fields) body.fields = filled;
      return longhaul.post(`/api/runs/${runId}/approvals/${step}`, Step, body, { key: crypto.randomUUID() });
    },
    onSettled: () => Promise.all([refreshRuns([runId]), known.invalidateQueries({ queryKey: ["run", runId] })]),
  });
  return (
    <div className="rounded-md border border-waiting bg-mark p-3">
      <p className="mb-2 whitespace-pre-wrap">{waiting.message}</p>
      {required > 1 && (
        <p className="mb-2 text-sm">
          {answers.filter(({ approved }) => approved).length} of {required} have approved.
        </p>
      )}
      {permission && <JsonView title={`What ${permission.tool} would be given`} value={permission.input} />}
      {fields && <Fields schema={fields} values={filled} onChange={fill} />}
      <label htmlFor={reasonId} className="mt-2 block text-sm">
        Reason (may be empty)
      </label>
      <input
        id={reasonId}
        value={reason}
        onChange={({ target }) => setReason(target.value)}
        className="mb-3 min-h-9 w-full rounded-md border border-line bg-panel px-2"
      />
      <div className="flex gap-2">
        <Button main disabled={answer.isPending} onClick={() => answer.mutate("approve")}>
          Approve
        </Button>
        <Button disabled={answer.isPending} onClick={() => answer.mutate("reject")}>
          Reject
        </Button>
      </div>
      {answer.error && <Problem error={answer.error} />}
    </div>
  );
}
