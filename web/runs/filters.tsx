import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Project } from "../../contract/project.js";
import { RunStatus } from "../../contract/run.js";
import { Workflow } from "../../contract/workflow.js";
import { longhaul } from "../client.js";
import { nameOf } from "../ui/status.js";
import type { RunFilter } from "./filter.js";

/** Milliseconds after the last key until what was typed is looked for. */
const TYPING = 250;

export function Filters({ filter, onChange }: { filter: RunFilter; onChange: (filter: RunFilter) => void }) {
  const projects = useQuery({ queryKey: ["projects"], queryFn: () => longhaul.all("/api/projects", Project) });
  const workflows = useQuery({
    queryKey: ["workflows", filter.project],
    queryFn: () => longhaul.all("/api/workflows", Workflow, { project_id: filter.project }),
  });
  return (
    <search className="mb-4 flex flex-wrap items-center gap-2">
      <Choice
        label="Project"
        value={filter.project}
        options={(projects.data ?? []).map(({ id, name }) => [id, name])}
        onChoose={(project) => onChange(without({ ...filter, project, workflow: undefined }))}
      />
      <Choice
        label="Workflow"
        value={filter.workflow}
        options={(workflows.data ?? []).map(({ id, name }) => [id, name])}
        onChoose={(workflow) => onChange(without({ ...filter, workflow }))}
      />
      <Choice
        label="Status"
        value={filter.status?.join(",")}
        options={[
          ["pending,running,paused,waiting", "open"],
          ["completed,failed,cancelled,timed_out", "finished"],
          ...RunStatus.options.map((status): [string, string] => [status, nameOf(status)]),
        ]}
        onChoose={(chosen) => onChange(without({ ...filter, status: chosen?.split(",") as RunStatus[] | undefined }))} // one of the above
      />
      <Words text={filter.q ?? ""} onType={(q) => onChange(without({ ...filter, q: q || undefined }))} />
    </search>
  );
}

function Choice({
  label,
  value = "",
  options,
  onChoose,
}: {
  label: string;
  value: string | undefined;
  options: [value: string, name: string][];
  onChoose: (value: string | undefined) => void;
}) {
  return (
    <label className="flex items-center gap-1.5 text-faint text-sm">
      {label}
      <select
        value={value}
        onChange={({ target }) => onChoose(target.value || undefined)}
        className="min-h-9 max-w-48 rounded-md border border-line bg-panel px-2 text-text"
      >
        <option value="">all</option>
        {options.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Words({ text, onType }: { text: string; onType: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => onType(typed), TYPING);
    return () => clearTimeout(timer);
  }, [typed, text, onType]);
  return (
    <input
      type="search"
      value={typed}
      aria-label="Part of a name, or an id"
      placeholder="Name or id"
      onChange={({ target }) => setTyped(target.value)}
      className="min-h-9 w-48 rounded-md border border-line bg-panel px-2"
    />
  );
}

/** The fields that are said: an address has no others. */
function without(filter: { [Field in keyof RunFilter]: RunFilter[Field] | undefined }): RunFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
