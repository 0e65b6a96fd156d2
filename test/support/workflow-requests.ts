import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { JsonObject } from "../../contract/json.js";
import type { Api, Reply } from "./api.js";

export const FOLDER = ".agent/workflows/definitions";

/** A graph of two steps, with comments and quotes to lose. */
export const yaml = (name: string, command = "make") => `# How we do ${name}.
name: ${name}
steps:
  # Compile first.
  - key: build
    command: "${command}"   # in quotes
  - { key: test, command: make test, dependencies: [build] }
`;

export const document = (name: string, command = "make"): JsonObject => ({ name, steps: [{ key: "build", command }] });

/** The parts of a shown workflow that tests take into their hands. */
export interface ShownPart {
  id: string;
  name: string;
  path: string;
  revision: number;
  enabled: boolean;
  definition: string;
}

/** What an answer shows. */
export function shown({ status, body }: Reply, expected = 200): ShownPart {
  expect(status, JSON.stringify(body)).toBe(expected);
  return body.data;
}

/** Requests that change workflows of the API's own project, and its files. @param api once it has been started */
export function workflowRequests(api: () => Api) {
  const create = (definition: unknown, more: object = {}) =>
    api().ask("POST", "/api/workflows", { project_id: api().project.id, definition, ...more });
  const onDisk = (path: string) => join(api().project.path, path);
  return {
    create,
    created: async (definition: unknown, more: object = {}) => shown(await create(definition, more), 201),
    put: (id: string, body: object, headers = {}) => api().ask("PUT", `/api/workflows/${id}`, body, headers),
    get: (id: string) => api().ask("GET", `/api/workflows/${id}`),
    onDisk,
    textOf: ({ path }: { path: string }) => readFileSync(onDisk(path), "utf8"),
  };
}
