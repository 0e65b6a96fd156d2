/** Where definition files lie, relative to a project, and which files of a folder are some. */
export const DEFINITION_FOLDERS: Readonly<Record<string, RegExp>> = {
  ".agent/workflows/definitions": /(?<!\.d|\.test)\.ts$|\.(yaml|yml|json)$/,
  ".agent/workflows/templates": /(?<!\.d|\.test)\.ts$|\.(yaml|yml|json)$/,
  workflows: /\.workflow\.(yaml|yml)$/,
  ".orch/workflows": /\.(yaml|yml)$/,
};

/** Whether a file is where definitions are found. @param path relative to the project, with slashes. */
export function isDefinitionFile(path: string): boolean {
  const at = path.lastIndexOf("/");
  return DEFINITION_FOLDERS[path.slice(0, Math.max(at, 0))]?.test(path.slice(at + 1)) ?? false;
}
