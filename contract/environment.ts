/** Longhaul's own settings and credentials, and what npm adds for the script that started it: nothing that a step inherits. */
const OURS = /^(LONGHAUL_.*|TEMPORAL_.*|DATABASE_URL|PGPASSWORD|GITHUB_TOKEN|NODE_CHANNEL_.*|npm_.*|INIT_CWD)$/i;

export function isOurs(name: string): boolean {
  return OURS.test(name);
}
