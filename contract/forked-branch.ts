const OF_A_FORK = /-fork-[a-z0-9]{6}$/;

/** The branch that a run has in the place of one of the run that it goes on from: a branch can be checked out in one tree only. */
export function forkedBranch(branch: string, runId: string): string {
  return `${branch.replace(OF_A_FORK, "")}-fork-${runId.slice(-6)}`;
}

/** Whether both are the same branch, but for the run that has it. */
export function isSameBranch(one: string, other: string): boolean {
  return one.replace(OF_A_FORK, "") === other.replace(OF_A_FORK, "");
}
