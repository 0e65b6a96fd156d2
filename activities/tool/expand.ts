import { isBase } from "../environment.js";

/** Besides what every server inherits, settings may name what is meant for them: it counts as secret. */
const MEANT = /^MCP_\w+$/;

/** Replaces `${…}` in a server's settings, and keeps what there is to know of them. */
export class Expansion {
  readonly secrets = new Set<string>();
  readonly problems: string[] = [];
  usesTree = false;

  constructor(
    private readonly places: { project: string; workspace: string },
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** `${NAME}` or `${NAME:-default}` of the environment; `${project}` and `${workspace}`, absolute paths. */
  text(text: string): string {
    return text.replace(/\$\{([^}]*)\}/g, (whole, inside: string) => {
      const [, name = "", fallback] = /^(\w+)(?::-(.*))?$/s.exec(inside) ?? [];
      if (name === "project") return this.places.project;
      if (name === "workspace") {
        this.usesTree = true;
        return this.places.workspace;
      }
      return this.variable(whole, name, fallback);
    });
  }

  private variable(whole: string, name: string, fallback: string | undefined): string {
    if (!MEANT.test(name) && !isBase(name)) {
      this.problems.push(
        `${whole} cannot be used: of the worker's environment a server is given variables that begin with MCP_, so start Longhaul with MCP_${name || "NAME"}`,
      );
      return "";
    }
    const value = this.env[name] || fallback;
    if (value === undefined) {
      this.problems.push(`${whole} has no value: start Longhaul with ${name} set, or give a default as in \${${name}:-text}`);
      return "";
    }
    if (MEANT.test(name)) this.secrets.add(value);
    return value;
  }
}
