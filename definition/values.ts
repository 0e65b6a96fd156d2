import type { Chosen, PlanCheck, PlanPanel, PlanStep, Value } from "../contract/plan.js";

/** All that a step renders. */
export function valuesOf({ work, for_each, summary }: PlanStep): Value[] {
  return [...valuesOfWork(work), for_each?.items, summary].filter((value) => value !== undefined);
}

function valuesOfWork(work: PlanStep["work"]): (Value | undefined)[] {
  switch (work.kind) {
    case "agent":
      return [
        work.prompt,
        work.system_prompt,
        ...[work.provider, work.role, work.profile, work.model, ...(work.panel?.members ?? []).flatMap(chosenBy)].filter(
          (each) => typeof each === "object",
        ),
        ...(work.verify ?? []).map(valueOfCheck),
      ];
    case "shell":
      return [work.command, work.cwd, ...Object.values(work.env ?? {})];
    case "tool":
    case "activity":
      return [work.params];
    case "approval":
      return [work.message];
    case "sleep":
      return [work.duration];
    case "wait":
      return [work.event];
    case "workflow":
      return [work.input];
  }
}

function chosenBy({ role, model }: PlanPanel["members"][number]): (Chosen | undefined)[] {
  return [role, model];
}

function valueOfCheck(check: PlanCheck): Value | undefined {
  if ("file_exists" in check) return check.file_exists;
  if ("command" in check) return check.command;
  return "branch_pushed" in check && check.branch_pushed !== true ? check.branch_pushed : undefined;
}
