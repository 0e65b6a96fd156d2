import { type Git, openGit } from "../activities/git-client.js";
import { findCommit } from "../activities/git-refs.js";

/** A repository the server knows: its refs are those of a bare repository on disk. */
export interface ServedRepository {
  owner: string;
  name: string;
  /** The bare repository. */
  path: string;
}

export interface Issue {
  number: number;
  title: string;
  body: string | null;
  state: "open" | "closed";
  labels: string[];
  comments: { id: number; body: string; created_at: string }[];
  created_at: string;
  updated_at: string;
  /** Only of a pull request. */
  pull?: { head: string; base: string; draft: boolean; reviews: Review[] };
}

export interface Review {
  id: number;
  body: string;
  state: "COMMENTED" | "APPROVED" | "CHANGES_REQUESTED";
  comments: { path: string; line: number; body: string }[];
  submitted_at: string;
}

/** A run of a workflow of GitHub Actions, with its jobs. */
export interface ActionsRun {
  name: string;
  head_branch: string;
  conclusion: "success" | "failure";
  jobs: { name: string; conclusion: "success" | "failure"; log: string }[];
}

/** An answer that is none of the good ones, with GitHub's status and body. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly status: number,
    message: string,
    readonly errors?: readonly object[],
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** One repository's issues and pull requests, numbered together, and its refs. Gone when the server stops, but for the refs. */
export class GitHubRepository {
  readonly issues: Issue[] = [];
  readonly labels = new Map<string, { name: string; color: string; description: string | null }>();
  /** A run's id is its place here, counted from 1; a job's is 100 times that and its own place. */
  readonly runs: ActionsRun[] = [];
  private comments = 0;

  constructor(
    readonly served: ServedRepository,
    readonly git: Git,
  ) {}

  static async open(served: ServedRepository): Promise<GitHubRepository> {
    return new GitHubRepository(served, await openGit(served.path));
  }

  async defaultBranch(): Promise<string> {
    return (await this.git.ask(["symbolic-ref", "--short", "HEAD"])) ?? "main";
  }

  /** @throws {Refusal} 404. */
  async sha(branch: string): Promise<string> {
    const sha = await this.branch(branch);
    if (!sha) throw new Refusal(404, "Not Found");
    return sha;
  }

  async refs(prefix: string): Promise<{ ref: string; sha: string }[]> {
    const listed = await this.git.run(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"]);
    return listed
      .split("\n")
      .map((line) => ({ sha: line.slice(0, 40), ref: line.slice(41) }))
      .filter(({ ref }) => ref.startsWith(`refs/${prefix}`));
  }

  /** @throws {Refusal} 422. */
  async createRef(ref: string, sha: string): Promise<void> {
    const valid = /^refs\/(heads|tags)\//.test(ref) && (await this.git.ask(["check-ref-format", ref])) !== null;
    if (!valid) throw new Refusal(422, "Reference name invalid");
    if (!/^[0-9a-f]{40}$/.test(sha) || !(await findCommit(this.git, sha))) throw new Refusal(422, "Object does not exist");
    if (await findCommit(this.git, ref)) throw new Refusal(422, "Reference already exists");
    await this.git.run(["update-ref", ref, sha]);
  }

  /** @throws {Refusal} 422. */
  async deleteRef(ref: string): Promise<void> {
    if (!/^refs\/(heads|tags)\//.test(ref) || !(await findCommit(this.git, ref)))
      throw new Refusal(422, "Reference does not exist");
    await this.git.run(["update-ref", "-d", ref]);
  }

  /** @throws {Refusal} 422, as GitHub refuses: unknown branches, nothing between them, one that is open already. */
  async createPull(input: { title: string; body: string | null; head: string; base: string; draft: boolean }): Promise<Issue> {
    const { owner } = this.served;
    const head = input.head.startsWith(`${owner}:`) ? input.head.slice(owner.length + 1) : input.head;
    const [headSha, baseSha] = await Promise.all([this.branch(head), this.branch(input.base)]);
    const invalid = [
      ...(headSha ? [] : [{ resource: "PullRequest", field: "head", code: "invalid" }]),
      ...(baseSha ? [] : [{ resource: "PullRequest", field: "base", code: "invalid" }]),
    ];
    if (invalid.length > 0) throw new Refusal(422, "Validation Failed", invalid);
    const custom = (message: string) =>
      new Refusal(422, "Validation Failed", [{ resource: "PullRequest", code: "custom", message }]);
    const ahead = await this.git.run(["rev-list", "--count", `${baseSha}..${headSha}`]);
    if (ahead === "0") throw custom(`No commits between ${input.base} and ${head}`);
    // Last, with no waiting before it is added: of two that ask at the same time one is refused.
    const same = this.issues.some(({ state, pull }) => state === "open" && pull?.head === head && pull.base === input.base);
    if (same) throw custom(`A pull request already exists for ${owner}:${head}.`);
    return this.add({
      title: input.title,
      body: input.body,
      labels: [],
      pull: { head, base: input.base, draft: input.draft, reviews: [] },
    });
  }

  add(issue: Pick<Issue, "title" | "body" | "labels"> & Partial<Pick<Issue, "pull">>): Issue {
    const at = moment();
    const added: Issue = {
      ...issue,
      number: this.issues.length + 1,
      state: "open",
      comments: [],
      created_at: at,
      updated_at: at,
    };
    this.issues.push(added);
    return added;
  }

  /** @throws {Refusal} 404. */
  issue(number: string, kind: "issue" | "pull" = "issue"): Issue {
    const issue = this.issues[Number(number) - 1];
    if (!issue || (kind === "pull" && !issue.pull)) throw new Refusal(404, "Not Found");
    return issue;
  }

  comment(issue: Issue, body: string): Issue["comments"][number] {
    const comment = { id: ++this.comments, body, created_at: moment() };
    issue.comments.push(comment);
    return comment;
  }

  /** @throws {Refusal} 422. */
  createLabel(label: { name: string; color: string; description: string | null }): void {
    if (this.labels.has(label.name.toLowerCase())) {
      throw new Refusal(422, "Validation Failed", [{ resource: "Label", code: "already_exists", field: "name" }]);
    }
    this.labels.set(label.name.toLowerCase(), label);
  }

  /** A label that is new to the repository is made, as GitHub does. */
  addLabels(issue: Issue, names: readonly string[]): void {
    for (const name of names) {
      if (!this.labels.has(name.toLowerCase())) this.createLabel({ name, color: "ededed", description: null });
      if (!issue.labels.includes(name)) issue.labels.push(name);
    }
  }

  private async branch(name: string): Promise<string | null> {
    if ((await this.git.ask(["check-ref-format", `refs/heads/${name}`])) === null) return null;
    return findCommit(this.git, `refs/heads/${name}`);
  }
}

/** Now, as GitHub writes it: without milliseconds. */
export function moment(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
