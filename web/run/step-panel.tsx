import { Link } from "@tanstack/react-router";
import { isStepFinished, type Step } from "../../contract/step.js";
import { JsonView } from "../ui/json-view.js";
import { StatusName } from "../ui/status.js";
import { Log } from "./log.js";

/** One step: what it was given, what it gave, and what it wrote. */
export function StepPanel({ step }: { step: Step }) {
  return (
    <section aria-label={`Step ${step.step_number}`} className="grid min-w-0 content-start gap-3">
      <div className="flex items-baseline gap-3">
        <h2 className="min-w-0 break-words font-medium">
          <bdi>{step.name}</bdi>
        </h2>
        <StatusName status={step.status} />
        <Link to="/runs/$id" params={{ id: step.run_id }} className="ml-auto text-accent text-sm hover:underline">
          close
        </Link>
      </div>
      {step.error_message && <p className="whitespace-pre-wrap text-bad">{step.error_message}</p>}
      {step.waiting_for && <p className="text-waiting">{step.waiting_for.message}</p>}
      <Log step={step} isOver={isStepFinished(step.status)} />
      {step.input !== null && <JsonView title="Input" value={step.input} />}
      {step.output !== null && <JsonView title="Output" value={step.output} />}
    </section>
  );
}
