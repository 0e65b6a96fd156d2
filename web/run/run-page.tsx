import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { isFinished } from "../../contract/run.js";
import { WholeRun } from "../../contract/whole-run.js";
import { longhaul } from "../client.js";
import { JsonView } from "../ui/json-view.js";
import { Problem } from "../ui/problem.js";
import { useNow } from "../ui/time.js";
import { Answer } from "../waiting/answer.js";
import { Comments } from "./comments.js";
import { Header } from "./header.js";
import { StepPanel } from "./step-panel.js";
import { Steps } from "./steps.js";

const route = getRouteApi("/runs/$id");

/** Everything about one run, as it happens. */
export function RunPage() {
  const { id } = route.useParams();
  const { step: number } = route.useSearch();
  const { data: run, error } = useQuery({ queryKey: ["run", id], queryFn: () => longhaul.get(`/api/runs/${id}`, WholeRun) });
  const now = useNow(run !== undefined && !isFinished(run.status));
  if (error) return <Problem error={error} />;
  if (!run) return <p className="text-faint">…</p>;
  const step = run.steps.find(({ step_number }) => step_number === number);
  return (
    <>
      <Header run={run} now={now} />
      {run.waiting_for?.kind === "approval" && (
        <section aria-label="What is asked" className="mb-4 max-w-3xl">
          <Answer runId={run.id} waiting={run.waiting_for} />
        </section>
      )}
      {run.waiting_for && run.waiting_for.kind !== "approval" && (
        <p className="mb-4 text-waiting">
          {run.waiting_for.message}
          {run.waiting_for.until && ` Until ${new Date(run.waiting_for.until).toLocaleString()}.`}
        </p>
      )}
      {run.error_message && (
        <p role="alert" className="mb-4 whitespace-pre-wrap text-bad">
          {run.error_message}
        </p>
      )}
      <div className="grid gap-5 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
        <Steps run={run} now={now} chosen={number} />
        {step ? <StepPanel key={step.id} step={step} /> : <Overview run={run} />}
      </div>
      <Comments run={run} />
    </>
  );
}

function Overview({ run }: { run: WholeRun }) {
  return (
    <section aria-label="Input and result" className="grid content-start gap-3">
      <JsonView title="Input" value={run.input} />
      {run.output !== null && <JsonView title="Result" value={run.output} />}
    </section>
  );
}
